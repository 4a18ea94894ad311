"""Pictures of any file without transparency and of 8 bits; HEIF is read where its package is installed."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from common import pictures


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_gray_numbers_by_strips_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    draw = np.random.default_rng(0)
    for largest in (1, 200, 4000, 70_000, 2**30):
        pixels = (draw.random((23, 17)) * min(largest, 65535 if kind is np.uint16 else largest)).astype(kind)
        if kind is np.float32:
            pixels[3, 4], pixels[5, 6] = np.nan, np.inf if largest == 200 else 0
        image = Image.fromarray(pixels)
        for white in (0, 65535):
            monkeypatch.setattr(pictures, "STRIP", 40)  # two rows
            strips = np.asarray(pictures.eight_bits(image, white))
            assert np.array_equal(strips, at_once(image, white)), (largest, white)


def at_once(image: Image.Image, white: int) -> np.ndarray:
    """As it was written before: all of the picture as 64-bit numbers."""
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64))
    largest = float(pixels.max(initial=0))
    if not white:
        bits = next((bits for bits in pictures.DEPTHS if largest < 2**bits), pictures.DEPTHS[-1])
        white = 1 if image.mode == "F" and largest <= 1 else 2**bits - 1
    return (pixels * (255 / white) + 0.5).clip(0, 255).astype(np.uint8)


def test_transparent_parts_become_white_and_sixteen_bits_eight() -> None:
    image = Image.new("LA", (2, 1), (0, 255))
    image.putpixel((1, 0), (0, 0))
    assert np.asarray(pictures.opaque(image).convert("L")).tolist() == [[0, 255]]
    sixteen = Image.fromarray(np.array([[0, 32768, 65535]], np.uint16))
    assert np.asarray(pictures.opaque(sixteen)).tolist() == [[0, 128, 255]]
    plain = Image.new("RGB", (1, 1))
    assert pictures.opaque(plain) is plain


def test_heif_is_registered_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    plugin = ModuleType("pillow_heif")
    plugin.register_heif_opener = lambda: calls.append("registered")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    pictures.register_heif.cache_clear()
    pictures.register_heif(), pictures.register_heif()
    assert calls == ["registered"]
    pictures.register_heif.cache_clear()
