"""A site of the cells page with a small network that was not trained, and pictures of all kinds."""

import io
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from datamodules.vision.cells import NAMES, draw_cells
from lit_models.vision.cells import LitCells
from scripts.serve.app import create_app
from scripts.serve.models import Loaded, Models
from scripts.serve.pages import Page
from scripts.serve.site import Site
from scripts.verbs.serve import serve_parser

THRESHOLDS = [0.65, 0.7, 0.66]


def small_run() -> Loaded:
    """A network that finds a few dozen boxes."""
    torch.manual_seed(0)
    sizes: Any = {"widths": [4, 8], "channels": 8, "sizes": [[0.1, 0.2], [0.3, 0.4], [0.7, 0.9]]}
    model = LitCells(num_classes=3, in_channels=3, image_size=96, strided_stem=True, **sizes).eval()
    model.thresholds.copy_(torch.tensor(THRESHOLDS))
    with torch.no_grad():
        for head in model.net.class_heads:  # type: ignore[union-attr]
            head.weight.mul_(36)  # scores that differ
    data = SimpleNamespace(class_names=NAMES, in_channels=3)
    return Loaded(model, data, Path("runs/vision/cells/first"), "vision/cells")


def cells_app(state: Path, *words: str, run: Loaded | None = None) -> Any:
    page = Page(import_module("scripts.serve.cells.page"))
    options = serve_parser().parse_args(["vision/cells", "--state", str(state), *words])
    return create_app(Site(page, Models(run or small_run(), page.refuse), options))


def drawn(index: int = 0, width: int = 96, height: int = 96) -> Image.Image:
    """A picture of drawn cells."""
    pixels = draw_cells(index + 1, 7)[0][index].permute(1, 2, 0).numpy()
    return Image.fromarray(pixels).resize((width, height))


def as_bytes(image: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def odd_pictures() -> dict[str, bytes]:
    """Pictures that are unusual and can be read."""
    image = drawn(width=200, height=100)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    gray = (np.asarray(image.convert("L")).astype(np.uint16) << 8) + 7
    return {
        "rotated.jpg": as_bytes(image, "JPEG", exif=exif),
        "cmyk.jpg": as_bytes(image.convert("CMYK"), "JPEG"),
        "sixteen.png": as_bytes(Image.fromarray(gray)),
        "sixteen.tif": as_bytes(Image.fromarray(gray), "TIFF"),
        "moving.gif": as_bytes(image, "GIF", save_all=True, append_images=[image.rotate(90)]),
        "clear.png": as_bytes(image.convert("RGBA").point(lambda v: v // 2)),
        "palette.png": as_bytes(image.convert("P")),
    }
