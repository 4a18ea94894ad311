"""Images as one picture, in rows and columns."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def picture_grid(images: Tensor, columns: int = 0, least: int = 64) -> Any:
    """A ``PIL.Image`` of images (N, C, H, W) in [0, 1], gray or color; small ones are enlarged by a whole factor.

    Args:
        images: What lies outside of [0, 1] is cut off.
        columns: Images in a row; 0: about as many as rows.
        least: Pixels that an image's side has at least.
    """
    from PIL import Image

    images = images.detach().float().cpu().clamp(0, 1)
    n, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    factor = max(1, math.ceil(least / max(height, width)))
    images = F.interpolate(images, scale_factor=factor, mode="nearest")
    sheet = torch.ones(channels, rows * (height * factor + 2) - 2, columns * (width * factor + 2) - 2)
    for k, image in enumerate(images):
        top, left = k // columns * (height * factor + 2), k % columns * (width * factor + 2)
        sheet[:, top : top + height * factor, left : left + width * factor] = image
    pixels = (sheet * 255 + 0.5).byte().permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
