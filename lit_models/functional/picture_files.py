"""A person's own picture and mask as tensors, for models that change a picture."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from common.messages import UserError
from common.pictures import opaque, register_heif


def read_picture(path: str, shape: tuple[int, int, int]) -> Tensor:
    """A file's picture as a model of pictures (C, H, W) has it: (1, C, H, W) in [0, 1], upright, on white where it is
    transparent, its largest centered part of that shape resized, as training's pictures are.

    Raises:
        UserError: There is no such file, or it is not a picture.
    """
    channels, height, width = shape
    picture = opaque(opened(path))
    picture = ImageOps.fit(picture.convert("L" if channels == 1 else "RGB"), (width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(picture))
    return pixels.view(1, height, width, -1).permute(0, 3, 1, 2) / 255


def read_mask(path: str, picture: str, shape: tuple[int, int, int]) -> Tensor:
    """What is kept of a picture (1, 1, H, W), boolean: where the mask's file is dark. White is made anew.

    Raises:
        UserError: The mask has another size than the picture, or keeps all of what ``read_picture`` takes of it.
    """
    mask, size = opened(path).convert("L"), opened(picture).size
    if mask.size != size:
        sizes = [f"{width} x {height}" for width, height in (mask.size, size)]
        raise UserError(
            f"--mask {path} has {sizes[0]} pixels, --image {picture} has {sizes[1]}: give a mask of that size"
        )
    keep = torch.from_numpy(np.array(ImageOps.fit(mask, shape[:0:-1], Image.Resampling.BOX))) < 128
    if bool(keep.all()):
        raise UserError(f"--mask {path} has no white pixel in the middle square: white is what is made anew")
    return keep.view(1, 1, *shape[1:])


def opened(path: str) -> Any:
    """The picture in a file, upright."""
    if not Path(path).is_file():
        raise UserError(f"there is no file {path}")
    register_heif()
    try:
        return ImageOps.exif_transpose(Image.open(path))
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path} is not a picture that can be read: {error}") from error
