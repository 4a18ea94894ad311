"""What bounds the memory of decoding: room for the threads of a process, and gray numbers converted by strips."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

DEPTHS = (8, 12, 16, 24, 31)  # bits of a gray number
STRIP = 1_000_000  # pixels of more than 8 bits that are converted at once


class Room:
    """Room for so much at once; what is larger than all of it goes alone.

    Args:
        size: How much.
    """

    def __init__(self, size: int) -> None:
        self.size, self.used, self.changed = size, 0, threading.Condition()

    @contextmanager
    def take(self, much: int) -> Iterator[None]:
        """Waits until there is room, which is taken while the block lasts."""
        with self.changed:
            self.changed.wait_for(lambda: not self.used or self.used + much <= self.size)
            self.used += much
        try:
            yield
        finally:
            with self.changed:
                self.used -= much
                self.changed.notify_all()


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
