"""Image files in all formats that PIL reads: reads their headers, decodes them to one size, makes batches.

Threads decode them: PIL releases the interpreter's lock while it reads, decompresses and resizes.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from common.messages import UserError
from datamodules.base import TensorLoader

THREADS = min(16, os.cpu_count() or 1)
DEPTHS = (8, 12, 16, 24, 31)  # bits of a gray number
GRAY_MODES = ("1", "L", "LA", "La", "I", "F")


def read_header(path: str) -> tuple[int, bool] | None:
    """The short side in pixels and whether the image is gray; None if the file is not an image. Pixels are not read."""
    try:
        with Image.open(path) as image:
            return min(image.size), image.mode in GRAY_MODES or image.mode.startswith("I;")
    except Exception:  # PIL raises many kinds for a damaged file
        return None


def decode(path: str, channels: int, size: int, crop: bool = True) -> np.ndarray:
    """Reads one image upright as uint8 (channels, size, size).

    Turned as its EXIF says; transparent parts become white; 16 and 32 bits are scaled to 8; the largest centered square
    is cut out and resized (bilinear, antialiased), without ``crop`` the whole image. An animation gives its first
    picture.
    """
    with Image.open(path) as file:
        sixteen = file.mode.startswith("I;16") or file.format == "PPM"  # PIL reads a PGM of 16 bits into 32
        file.draft("L" if channels == 1 else "RGB", (2 * size, 2 * size))  # a JPEG of megapixels is decoded reduced
        image = ImageOps.exif_transpose(file)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode.startswith("I") or image.mode == "F":
        image = eight_bits(image, 65535 if sixteen else 0)
    resized = ImageOps.fit if crop else Image.Image.resize
    image = resized(image.convert("L" if channels == 1 else "RGB"), (size, size), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1)


def whole_picture(path: str) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """A picture in color, upright, as large as it is, and its largest centered square (left, top, right, bottom), which
    ``decode`` cuts out.
    """
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I") or image.mode == "F":
        image = eight_bits(image)
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.convert("RGB"), (left, top, left + side, top + side)


def eight_bits(image: Image.Image, white: int = 0) -> Image.Image:
    """Gray numbers of more than 8 bits as 8 bits.

    Args:
        image: Integers or real numbers. Real numbers are taken as [0, 1] where none is larger than 1.
        white: The number that is white. 0: nothing says it, and it is the largest number of the least depth in
            ``DEPTHS`` that holds all of the image.
    """
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64))
    largest = float(pixels.max(initial=0))
    if not white:
        bits = next((bits for bits in DEPTHS if largest < 2**bits), DEPTHS[-1])
        white = 1 if image.mode == "F" and largest <= 1 else 2**bits - 1
    return Image.fromarray((pixels * (255 / white) + 0.5).clip(0, 255).astype(np.uint8))


def readable(paths: Sequence[str], channels: int, size: int, keep: Tensor | None = None) -> Tensor:
    """Decodes each file; returns which of them could be read (N,), and puts the images into ``keep`` (N, C, S, S)."""

    def read(i: int) -> bool:
        try:
            pixels = decode(paths[i], channels, size)
        except Exception:  # as in read_header
            return False
        if keep is not None:
            keep[i] = torch.from_numpy(pixels.copy())
        return True

    return torch.tensor(in_threads(read, range(len(paths))), dtype=torch.bool)


def in_threads(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """``[function(item) for item in items]`` by ``THREADS`` threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))


class ImageFiles(Dataset):
    """Decodes a batch at a time: (row numbers of ``paths``, labels ...) -> (images (B, C, S, S) uint8, labels ...).

    Args:
        paths: The files.
        channels: 1 for gray, 3 for color.
        size: S, height and width of the decoded images in pixels.
    """

    def __init__(self, paths: list[str], channels: int, size: int) -> None:
        self.paths, self.channels, self.size = paths, channels, size

    def __getitem__(self, key: tuple[np.ndarray, ...]) -> tuple[Tensor, ...]:
        rows, *rest = key
        images = np.empty((len(rows), self.channels, self.size, self.size), dtype=np.uint8)
        for i, row in enumerate(rows):
            try:
                images[i] = decode(self.paths[row], self.channels, self.size)
            except Exception as error:
                raise UserError(f"{self.paths[row]} could be read when the run began, but not now: {error}") from None
        return (torch.from_numpy(images), *map(torch.from_numpy, rest))


class FileLoader(TensorLoader):
    """Batches of files that worker processes decode. Order, division among ranks and resume are as in ``TensorLoader``.

    The workers run ahead, so the position in the epoch counts batches that were yielded, not batches requested.

    Args:
        files: Decodes a batch; the first tensor of ``loader`` holds row numbers of its paths.
        num_workers: Worker processes, which stay for all epochs; 0 decodes in this process.
        **loader: Arguments of ``TensorLoader``.
    """

    def __init__(self, files: ImageFiles, num_workers: int, **loader: Any) -> None:
        super().__init__(**loader)
        self.keys: list[tuple[np.ndarray, ...]] = []  # the rows of each remaining batch of the epoch
        self.decoder = DataLoader(
            files,
            batch_size=None,
            sampler=self.keys,
            num_workers=num_workers,
            pin_memory=self.pin_memory,
            persistent_workers=num_workers > 0,
            generator=torch.Generator(),  # each epoch would otherwise draw from the global one
        )

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        start = self.batch if self.shuffle and self.batch < len(self) else 0
        batches = self._order().split(self.batch_size)[start:]
        self.keys[:] = [tuple(tensor[index].numpy() for tensor in self.tensors) for index in batches]
        for k, batch in enumerate(self.decoder, start):
            self.batch = k + 1  # before the yield, as in TensorLoader
            yield tuple(batch)
