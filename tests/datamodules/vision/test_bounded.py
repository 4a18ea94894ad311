"""Gray numbers converted by strips are those of the whole picture, and large pictures wait for room."""

import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules.vision import bounded


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_gray_numbers_by_strips_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    draw = np.random.default_rng(0)
    for largest in (1, 200, 4000, 70_000, 2**30):
        pixels = (draw.random((23, 17)) * min(largest, 65535 if kind is np.uint16 else largest)).astype(kind)
        if kind is np.float32:
            pixels[3, 4], pixels[5, 6] = np.nan, np.inf if largest == 200 else 0
        image = Image.fromarray(pixels)
        for white in (0, 65535):
            monkeypatch.setattr(bounded, "STRIP", 40)  # two rows
            strips = np.asarray(bounded.eight_bits(image, white))
            assert np.array_equal(strips, at_once(image, white)), (largest, white)


def at_once(image: Image.Image, white: int) -> np.ndarray:
    """As it was written before: all of the picture as 64-bit numbers."""
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64))
    largest = float(pixels.max(initial=0))
    if not white:
        bits = next((bits for bits in bounded.DEPTHS if largest < 2**bits), bounded.DEPTHS[-1])
        white = 1 if image.mode == "F" and largest <= 1 else 2**bits - 1
    return (pixels * (255 / white) + 0.5).clip(0, 255).astype(np.uint8)


def test_large_pictures_are_decoded_one_after_the_other() -> None:
    """Another one comes while the first has the room; small ones share it."""
    room, order = bounded.Room(10), []
    with room.take(4), room.take(6):
        assert room.used == 10
        thread = threading.Thread(target=lambda: [order.append("second") for _ in [1] if room_of(room, 1)])
        thread.start()
        while not room.changed._waiters:  # type: ignore[attr-defined]
            assert thread.is_alive()  # it did not go in
        order.append("first")
    thread.join()
    with room.take(99):  # alone
        assert room.used == 99
    assert order == ["first", "second"] and room.used == 0


def room_of(room: bounded.Room, much: int) -> bool:
    with room.take(much):
        return True
