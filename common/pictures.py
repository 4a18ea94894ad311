"""Pictures of any file as pictures of 8 bits without transparency: what training and a person's own picture share."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache

import numpy as np
from PIL import Image

DEPTHS = (8, 12, 16, 24, 31)  # bits of a gray number
STRIP = 1_000_000  # pixels of more than 8 bits that are converted at once


@cache
def register_heif() -> None:
    """Lets PIL read HEIF where ``pillow_heif`` is installed. Each process needs it: workers import PIL anew."""
    with suppress(ImportError):
        import pillow_heif  # type: ignore[import-not-found]

        pillow_heif.register_heif_opener()


def opaque(image: Image.Image, white: int = 0) -> Image.Image:
    """The picture on white where it is transparent, and its gray numbers of more than 8 bits as 8 bits.

    Args:
        image: In any of PIL's modes.
        white: See ``eight_bits``.
    """
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode.startswith("I") or image.mode == "F":
        return eight_bits(image, white)
    return image


def eight_bits(image: Image.Image, white: int = 0) -> Image.Image:
    """Gray numbers of more than 8 bits as 8 bits.

    Args:
        image: Integers or real numbers. Real numbers are taken as [0, 1] where none is larger than 1.
        white: The number that is white. 0: nothing says it, and it is the largest number of the least depth in
            ``DEPTHS`` that holds all of the image.
    """
    if not white:
        largest = max((float(pixels.max(initial=0)) for _, pixels in strips(image)), default=0)
        bits = next((bits for bits in DEPTHS if largest < 2**bits), DEPTHS[-1])
        white = 1 if image.mode == "F" and largest <= 1 else 2**bits - 1
    gray = np.empty((image.height, image.width), np.uint8)
    for top, pixels in strips(image):
        gray[top : top + len(pixels)] = (pixels * (255 / white) + 0.5).clip(0, 255)
    return Image.fromarray(gray)


def strips(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of an image as numbers, some at a time, and the first one's place: all of them would be 8 bytes a pixel."""
    rows = max(1, STRIP // max(1, image.width))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        yield top, np.nan_to_num(np.asarray(strip, dtype=np.float64))
