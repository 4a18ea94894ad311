"""The page of ``vision/cells``: drop pictures, see the cells by class, move the thresholds, take the counts along.

    dive serve vision/cells

A picture is looked at once. The answer has all detections with their scores, so that the browser counts again by itself
while a threshold is moved. Pictures are not kept: they are gone when the answer is sent.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter, File, HTTPException, Request, UploadFile
from PIL import Image, UnidentifiedImageError
from starlette.responses import Response

from datamodules.vision.image_files import decode, reason_of
from lit_models.functional.counting import counts_of
from lit_models.vision.cells import LitCells
from scripts.serve.models import Loaded
from scripts.serve.site import Site

TITLE, ACCEPTS = "Cells", "a run of vision/cells, a detector that counts"
MAX_BODY = 32 << 20  # bytes of an upload
MAX_PIXELS = 120_000_000  # a scan of 100 megapixels is reduced while it is read; more than this is refused
SHOWN_BY_BROWSERS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
#: The plugins of PIL that see strangers' files. Not EPS or PDF, for which PIL runs other programs. MPO is JPEG's.
FORMATS = (*SHOWN_BY_BROWSERS, "TIFF", "PPM", "JPEG2000", "AVIF", "TGA")
PREVIEW = 1024  # pixels of the longer side of a preview, for formats that browsers do not show
LONGEST_NAME = 200  # letters of a file's name that are said again


@dataclass(frozen=True)
class Found:
    """What was found in a picture.

    Args:
        name: The file's.
        size: Width and height in pixels, upright.
        boxes: Left, top, right, bottom in pixels of each detection, the best first.
        scores, labels: Their scores and classes.
        preview: A ``data:`` address of a JPEG, where a browser cannot show the file; else empty.
    """

    name: str
    size: tuple[int, int]
    boxes: list[list[float]]
    scores: list[float]
    labels: list[int]
    preview: str


def accepts(loaded: Loaded) -> bool:
    """Whether it is a detector with thresholds for counting."""
    return isinstance(loaded.model, LitCells)


def facts(site: Site) -> list[tuple[str, str]]:
    """For the administrator."""
    return [(kind["name"], f"counts from {kind['threshold']:.3f}") for kind in kinds_of(site.models.current)]


def kinds_of(run: Loaded) -> list[dict[str, Any]]:
    """Name and threshold of each class of a run."""
    thresholds = run.model.counting_from().tolist()
    names = run.data.class_names or [f"class {k}" for k in range(len(thresholds))]
    return [{"name": name, "threshold": value} for name, value in zip(names, thresholds, strict=True)]


def router(site: Site) -> APIRouter:
    """The page, the same without JavaScript, and the answer for one picture."""
    routes = APIRouter()

    def page(request: Request, **shown: Any) -> Response:
        run = site.models.current
        context = {"kinds": kinds_of(run), "run": run, "megabytes": MAX_BODY >> 20, "rows": [], **shown}
        return site.render(request, "cells.html", **context)

    @routes.get("/", include_in_schema=False)
    def home(request: Request) -> Response:
        return page(request)

    @routes.post("/", include_in_schema=False)
    def without_script(request: Request, file: Annotated[UploadFile, File()]) -> Response:
        run = site.models.current
        found = look(run, file)
        scores, labels = torch.tensor(found.scores), torch.tensor(found.labels, dtype=torch.long)
        counts = counts_of(scores, labels, run.model.counting_from().float().cpu()).tolist()
        return page(request, rows=[(found.name, counts)])

    @routes.post("/api/count")
    def count(file: Annotated[UploadFile, File()]) -> Found:
        return look(site.models.current, file)

    return routes


def look(run: Loaded, file: UploadFile) -> Found:
    """What a run finds in an upload.

    Raises:
        HTTPException: 422 with a sentence, where it is not a picture that can be read.
    """
    name = PurePosixPath((file.filename or "picture").replace("\\", "/")).name[:LONGEST_NAME] or "picture"
    content = io.BytesIO(file.file.read())
    if not content.getbuffer().nbytes:
        raise HTTPException(422, f"{name} is empty: it has zero bytes")
    size, pixels, preview = read(name, content, run.data.in_channels, run.model.image_size)
    x = torch.from_numpy(pixels.copy())[None].to(run.model.device) / 255
    with torch.inference_mode():
        boxes, scores, labels = (part[0].cpu() for part in run.model.look(x))
    good = labels >= 0
    in_pixels = (boxes[good].double() * torch.tensor([*size, *size])).tolist()
    rounded = [[round(edge, 1) for edge in box] for box in in_pixels]
    return Found(name, size, rounded, [round(s, 4) for s in scores[good].tolist()], labels[good].tolist(), preview)


def read(name: str, content: io.BytesIO, channels: int, side: int) -> tuple[tuple[int, int], np.ndarray, str]:
    """The upright size of a picture, its pixels (channels, side, side) uint8 as the model takes them, and a preview.

    Raises:
        HTTPException: As ``look``.
    """
    try:
        Image.init()
        formats = [form for form in FORMATS if form in Image.OPEN]  # PIL may be built without some of them
        with Image.open(content, formats=formats) as image:
            width, height = image.size
            if image.getexif().get(0x0112, 1) >= 5:  # it lies on its side
                width, height = height, width
            shown = image.format in SHOWN_BY_BROWSERS and image.mode != "CMYK"
        if width * height > MAX_PIXELS:
            most = MAX_PIXELS // 1_000_000
            raise HTTPException(422, f"{name} has {width} x {height} pixels: at most {most} million can be read")
        content.seek(0)
        pixels = decode(content, channels, side, crop=False, formats=formats)
        preview = ""
        if not shown:
            content.seek(0)
            preview = preview_of(content, width, height, formats)
    except HTTPException:
        raise
    except UnidentifiedImageError:
        why = "not an image, or of a format that is not read here: save it as PNG, TIFF or JPEG"
        raise HTTPException(422, f"{name} cannot be read as a picture: {why}") from None
    except Exception as error:  # PIL raises many kinds for a damaged file
        raise HTTPException(422, f"{name} cannot be read as a picture: {reason_of(error)}") from None
    return (width, height), pixels, preview


def preview_of(content: io.BytesIO, width: int, height: int, formats: list[str]) -> str:
    """A small JPEG of a picture that a browser does not show, as a ``data:`` address."""
    square = Image.fromarray(decode(content, 3, PREVIEW, crop=False, formats=formats).transpose(1, 2, 0))
    longest = max(width, height)
    small = square.resize((max(1, PREVIEW * width // longest), max(1, PREVIEW * height // longest)))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
