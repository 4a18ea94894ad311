"""Folders of small pictures for the tests of image folders."""

from pathlib import Path

from PIL import Image

SHADE = {"dark": 40, "light": 210}


def draw(path: Path, shade: int = 128, width: int = 20, height: int = 20, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height), shade if mode == "L" else (shade,) * 3).save(path)


def fill(root: Path, count: int = 10, classes: dict[str, int] = SHADE, ending: str = "png") -> Path:
    for name, shade in classes.items():
        for i in range(count):
            draw(root / name / f"{i:02d}.{ending}", shade + i % 3, 20 + i, 31 - i)
    return root


def corrupt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
