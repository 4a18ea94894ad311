"""Image files: decoding of each kind, and batches that equal those of tensors."""

import sys
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, UnidentifiedImageError

from common.messages import UserError
from datamodules.base import TensorLoader
from datamodules.vision import image_files
from datamodules.vision.image_files import FileLoader, ImageFiles, decode, read_header, readable
from tests.datamodules.vision.pictures import corrupt, draw, fill


def save(tmp_path: Path, image: Image.Image, name: str = "a.png", **options: Any) -> str:
    image.save(tmp_path / name, **options)
    return str(tmp_path / name)


def test_the_largest_centered_square_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((20, 60), dtype=np.uint8)
    pixels[:, 20:40] = 255
    assert (decode(save(tmp_path, Image.fromarray(pixels)), 1, 10)[..., 1:-1] == 255).all()


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    pixels = np.full((8, 8), 32768, dtype=np.uint16)
    assert (decode(save(tmp_path, Image.fromarray(pixels)), 1, 8) == 128).all()


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    assert (decode(save(tmp_path, Image.new("RGBA", (8, 8), (9, 9, 9, 0))), 3, 8) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([200, 10, 20] + [0] * 765)
    assert decode(save(tmp_path, palette, "p.png"), 3, 8)[:, 0, 0].tolist() == [200, 10, 20]
    assert (decode(save(tmp_path, palette, "t.png", transparency=0), 3, 8) == 255).all()


def test_exif_turns_the_image_upright(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16), dtype=np.uint8)
    pixels[:8] = 255  # bright above, before the turn
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    shown = decode(save(tmp_path, Image.fromarray(pixels), "e.jpg", exif=exif, quality=95), 1, 16)
    assert shown[0, 8:].mean() > 200 > 50 > shown[0, :8].mean()


def test_real_numbers_are_fractions_of_white(tmp_path: Path) -> None:
    half = Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32))
    assert (decode(save(tmp_path, half, "f.tif"), 1, 8) == 128).all()


@pytest.mark.parametrize("largest", [255, 4095, 65535, 2**24 - 1, 2**31 - 1])
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_a_tiff_of_any_range_is_neither_black_nor_white(tmp_path: Path, kind: Any, largest: int) -> None:
    """PIL gives 32-bit integers and real numbers as they are, and nothing says which of them is white."""
    levels = np.linspace(0, 1, 64).reshape(8, 8)
    file = save(tmp_path, Image.fromarray((levels * largest).astype(kind)), "a.tif")
    assert np.abs(decode(file, 1, 8)[0] - levels * 255).max() <= 1


def test_dark_pictures_of_sixteen_bits_stay_dark(tmp_path: Path) -> None:
    pixels = np.full((8, 8), 200, dtype=np.uint16)
    for name in ("a.png", "a.tif", "a.pgm"):  # the file says that it has 16 bits
        assert decode(save(tmp_path, Image.fromarray(pixels), name), 1, 8).max() == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_is_read_as_gray_and_as_color(tmp_path: Path, mode: str) -> None:
    kind = "tif" if mode in ("CMYK", "YCbCr", "I", "F") else "png"
    path = save(tmp_path, Image.new(mode, (9, 7)), f"a.{kind}")
    for channels in (1, 3):
        pixels = decode(path, channels, 5)
        assert pixels.shape == (channels, 5, 5) and pixels.dtype == np.uint8


def test_a_header_tells_the_short_side_and_whether_it_is_gray(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 9, 30, 20)
    draw(tmp_path / "b.jpg", 9, 30, 40, "RGB")
    (tmp_path / "c.png").write_text("no picture")
    found = [read_header(str(tmp_path / name)) for name in ("a.png", "b.jpg", "c.png")]
    assert found == [(20, True), (30, False), None]


def test_a_truncated_file_is_not_readable_though_its_header_is(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    paths = [str(path) for path in sorted(tmp_path.rglob("*.png"))]
    Path(paths[1]).write_bytes(Path(paths[1]).read_bytes()[:45])  # four bytes of its pixels
    assert read_header(paths[1])
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    assert readable(paths, 1, 8, keep=images).tolist() == [True, False, True, True]
    assert images[:, 0, 4, 4].tolist() == [40, 0, 210, 211]


def test_a_batch_of_files_is_a_batch_of_their_images(tmp_path: Path) -> None:
    paths = [str(path) for path in sorted(fill(tmp_path, 5).rglob("*.png"))]
    images, y = torch.stack([torch.from_numpy(decode(path, 1, 8).copy()) for path in paths]), torch.arange(10)
    plain = TensorLoader((images, y), 4, shuffle=True)
    files = FileLoader(ImageFiles(paths, 1, 8), 0, tensors=(torch.arange(10), y), batch_size=4, shuffle=True)
    for left, right in zip(plain, files, strict=True):
        assert torch.equal(left[0], right[0]) and torch.equal(left[1], right[1])


def test_a_file_that_is_damaged_during_the_run_is_named(tmp_path: Path) -> None:
    paths = [str(path) for path in sorted(fill(tmp_path, 2).rglob("*.png"))]
    corrupt(Path(paths[2]))
    with pytest.raises(UserError, match=r"light/00\.png could be read when the run began, but not now"):
        ImageFiles(paths, 1, 8)[(np.arange(4),)]


def test_a_worker_that_imports_anew_reads_heif_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    plugin = ModuleType("pillow_heif")
    plugin.register_heif_opener = lambda: calls.append("registered")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    paths = [str(path) for path in sorted(fill(tmp_path, 1).rglob("*.png"))]
    image_files.register_heif.cache_clear()
    for _ in range(2):
        ImageFiles(paths, 1, 8)[(np.arange(2),)]
    assert calls == ["registered"]
    image_files.register_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # not installed
    assert read_header(paths[0]) == (20, True)
    image_files.register_heif.cache_clear()


def test_sixteen_bits_take_no_wide_copy_of_the_whole_picture(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.full((2000, 2000), 32768, dtype=np.uint16)), compress_level=1)
    tracemalloc.start()
    decode(path, 1, 8)
    peak = tracemalloc.get_traced_memory()[1]  # numpy's arrays
    tracemalloc.stop()
    assert peak < 40e6, f"{peak / 4e6:.0f} bytes a pixel"


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("size", [(9, 240), (240, 9), (1, 300), (41, 240), (90, 60)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "I", "F"])
def test_a_huge_picture_is_reduced_first_and_looks_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, size: tuple[int, int], crop: bool
) -> None:
    """What is larger than HUGE; sixteen bits and thin pictures too, whose square is cut out without a change."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    gray = Image.fromarray((255 * np.sin(2 * x + y) ** 2).astype(np.uint8))
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(
            (np.asarray(gray) * 257.0).astype({"I;16": "uint16", "I": "int32", "F": "float32"}[mode])
        )
    else:
        image = gray.convert(mode) if mode != "RGBA" else Image.merge("RGBA", [gray] * 4)
    path = save(tmp_path, image, "a.tif" if mode in ("I", "F") else "a.png")
    expected = decode(path, 3, 8, crop).astype(int)
    monkeypatch.setattr(image_files, "HUGE", 200)
    found = decode(path, 3, 8, crop).astype(int)
    exact = crop and min(size) < 32
    assert np.abs(found - expected).max() <= (0 if exact else 60 if mode == "1" else 12)
    with Image.open(path) as file:
        small = image_files.reduced(file, 8, crop)
    thin_and_wide = crop and mode in ("I", "F") and min(size) < 32
    assert small.width * small.height <= 3000 and (max(small.size) < max(size) or thin_and_wide)


def test_only_the_plugins_that_are_named_see_a_file(tmp_path: Path) -> None:
    path = save(tmp_path, Image.new("L", (8, 8)), "a.gif")
    assert decode(path, 1, 8, formats=["GIF"]).shape == (1, 8, 8)
    with pytest.raises(UnidentifiedImageError):
        decode(path, 1, 8, formats=["PNG", "JPEG"])
