"""Image files in all formats that PIL reads: reads their headers, decodes them to one size, makes batches.

Threads decode them: PIL releases the interpreter's lock while it reads, decompresses and resizes.
"""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from common.messages import UserError
from common.pictures import eight_bits, opaque, register_heif
from datamodules.base import TensorLoader
from datamodules.reading import progress, some
from datamodules.vision.bounded import Room

Image.MAX_IMAGE_PIXELS = 500_000_000  # PIL refuses twice as many; its default refuses a valid scan of 195 megapixels
HUGE = 50_000_000  # pixels; such images are reduced before anything else is done
ROOM = Room(60_000_000)  # pixels of up to 20 bytes that the threads of a process decode; a larger image goes alone
THREADS = min(16, os.cpu_count() or 1)
GRAY_MODES = ("1", "L", "LA", "La", "I", "F")


def read_header(path: str) -> tuple[int, bool] | None:
    """The short side in pixels and whether the image is gray; None if the file is not an image. Pixels are not read."""
    register_heif()
    try:
        with Image.open(path) as image:
            return min(image.size), image.mode in GRAY_MODES or image.mode.startswith("I;")
    except Exception:  # PIL raises many kinds for a damaged file
        return None


def decode(
    path: "str | IO[bytes]", channels: int, size: int, crop: bool = True, formats: list[str] | None = None
) -> np.ndarray:
    """Reads one image upright as uint8 (channels, size, size).

    Turned as its EXIF says; transparent parts become white; 16 and 32 bits are scaled to 8; the largest centered square
    is cut out and resized (bilinear, antialiased), without ``crop`` the whole image. An animation gives its first
    picture. Only PIL's plugins of ``formats`` see the file; None means all.
    """
    register_heif()
    with Image.open(path, formats=formats) as file:
        draft(file, channels, size)
        with ROOM.take(file.width * file.height):
            return decode_open(file, channels, size, crop)


def draft(file: Image.Image, channels: int, size: int) -> None:
    """Lets a JPEG of megapixels be decoded reduced; a second time changes nothing."""
    file.draft("L" if channels == 1 else "RGB", (2 * size, 2 * size))


def decode_open(file: Image.Image, channels: int, size: int, crop: bool = True) -> np.ndarray:
    """The same of an open file."""
    sixteen = file.mode.startswith("I;16") or file.format == "PPM"  # PIL reads a PGM of 16 bits into 32
    draft(file, channels, size)
    image = reduced(file, size, crop) if file.width * file.height > HUGE else file
    image = opaque(ImageOps.exif_transpose(image), 65535 if sixteen else 0)
    resized = ImageOps.fit if crop else Image.Image.resize
    image = resized(image.convert("L" if channels == 1 else "RGB"), (size, size), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1)


def reduced(file: Image.Image, size: int, crop: bool) -> Image.Image:
    """A huge image with its short side near twice the size. Where that is short already, the ends that ``crop`` cuts
    off are left out, and without ``crop`` each side is reduced by itself.
    """
    image, short = file, min(file.size)
    factors = (max(1, short // (2 * size)),) * 2
    if factors == (1, 1) and crop and file.mode not in ("I", "F"):  # of these all numbers say which one is white
        left, top = (max(0, (side - short) // 2 - short - 2) for side in file.size)  # bilinear looks beyond the square
        image = file.crop((left, top, file.width - left, file.height - top))
    elif factors == (1, 1) and not crop:
        factors = (max(1, file.width // (2 * size)), max(1, file.height // (2 * size)))
    if factors != (1, 1):
        if file.mode.startswith("I;16"):  # PIL does not reduce these
            image = eight_bits(file, 65535)
        elif file.mode in ("1", "P"):
            image = file.convert("L" if file.mode == "1" else "RGBA")
        image = image.reduce(factors)
    if image is not file:
        image.getexif().update(file.getexif())
    return image


def whole_picture(path: str) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """A picture in color, upright, as large as it is, and its largest centered square (left, top, right, bottom), which
    ``decode`` cuts out.
    """
    register_heif()
    with Image.open(path) as file:
        image = opaque(ImageOps.exif_transpose(file))
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.convert("RGB"), (left, top, left + side, top + side)


@dataclass
class Findings:
    """What was found while files were decoded.

    Args:
        reasons: Why a file cannot be read.
        warned: What PIL warned about a file that it could read.
        shorts: Short sides, in pixels.
        oblong: How many are not square.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)
    shorts: list[int] = field(default_factory=list)
    oblong: int = 0

    def facts(self, size: int, channels: int, crop: bool = True) -> list[str]:
        """Sizes, squares (where they are cut out) and warnings, for the line of what was read."""
        facts = [f"{size} x {size} pixels in {'gray' if channels == 1 else 'color'}"]
        if self.shorts and max(self.shorts) != min(self.shorts):
            facts[0] += f", from short sides of {min(self.shorts):,} to {max(self.shorts):,}"
        elif self.shorts and self.shorts[0] != size:
            facts[0] += f", from short sides of {self.shorts[0]:,}"
        if self.shorts and max(self.shorts) > size:
            facts[0] += " (--data.image_size N keeps more)"
        if self.oblong and crop:
            facts.append(f"{self.oblong:,} are not square: the largest square in the middle is used")
        if self.warned:
            named = some([f"{os.path.basename(path)} ({why})" for path, why in self.warned.items()], 2)
            facts.append(f"{len(self.warned):,} are read in spite of a fault: {named}")
        return facts


CURRENT = threading.local()  # the file that a thread decodes


@contextmanager
def warnings_by_file(warned: dict[str, str]) -> Iterator[None]:
    """Collects PIL's warnings with the names of the files instead of printing them without."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        warned.setdefault(getattr(CURRENT, "path", ""), " ".join(str(message).split())[:80])

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


def reason_of(error: Exception) -> str:
    """Why a file cannot be read, in a few words."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "not an image" if text.startswith("cannot identify image file") else text[:80]


def readable(
    paths: Sequence[str],
    channels: int,
    size: int,
    keep: Tensor | None = None,
    found: Findings | None = None,
    crop: bool = True,
) -> Tensor:
    """Decodes each file; returns which of them could be read (N,), and puts the images into ``keep`` (N, C, S, S), what
    is to be said into ``found``.
    """
    found = found or Findings()

    def read(i: int) -> bool:
        CURRENT.path = paths[i]
        try:
            with Image.open(paths[i]) as image:
                width, height = image.size
            pixels = decode(paths[i], channels, size, crop)
        except Exception as error:  # as in read_header
            found.reasons[paths[i]] = reason_of(error)
            return False
        found.shorts.append(min(width, height))
        found.oblong += width != height
        if keep is not None:
            keep[i] = torch.from_numpy(pixels.copy())
        return True

    with warnings_by_file(found.warned):
        return torch.tensor(in_threads(read, range(len(paths)), "reading images"), dtype=torch.bool)


def in_threads(function: Callable[[Any], Any], items: Sequence[Any], what: str = "") -> list[Any]:
    """``[function(item) for item in items]`` by ``THREADS`` threads; ``what`` is said where it takes long."""
    with ThreadPoolExecutor(THREADS) as pool:
        done = pool.map(function, items)
        return list(progress(done, what, len(items)) if what else done)


class ImageFiles(Dataset):
    """Decodes a batch at a time: (row numbers of ``paths``, labels ...) -> (images (B, C, S, S) uint8, labels ...).

    Args:
        paths: The files.
        channels: 1 for gray, 3 for color.
        size: S, height and width of the decoded images in pixels.
        crop: Whether the largest centered square is cut out; else the whole image is resized.
    """

    def __init__(self, paths: list[str], channels: int, size: int, crop: bool = True) -> None:
        self.paths, self.channels, self.size, self.crop = paths, channels, size, crop

    def __getitem__(self, key: tuple[np.ndarray, ...]) -> tuple[Tensor, ...]:
        rows, *rest = key
        images = np.empty((len(rows), self.channels, self.size, self.size), dtype=np.uint8)
        for i, row in enumerate(rows):
            try:
                with warnings.catch_warnings(action="ignore"):  # they were said when the run began
                    images[i] = decode(self.paths[row], self.channels, self.size, self.crop)
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
