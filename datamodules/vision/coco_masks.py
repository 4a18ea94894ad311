"""Your own pictures with boxes and masks in COCO's JSON: ``segmentation`` of each annotation, polygons or run lengths.

    dive fit vision/mask_rcnn --data COCOMasks --data.annotations objects.json --data.root photos
    dive predict vision/mask_rcnn --data.root new_photos        any folder of pictures; the JSON is not read

At most 254 objects a picture. Where masks overlap, the smaller object is in front. A box without a segmentation is
refused: train ``vision/faster_rcnn`` with ``COCOFile`` on boxes.
"""

import json
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from common.messages import UserError, note
from datamodules.vision.coco_file import COCOFile
from datamodules.vision.instances import augment_instances, refuse_mixing
from datamodules.vision.object_files import Annotated, fractions

MOST = 254  # 255 is void while pictures are moved
FORM = (
    "give polygons, lists of x, y, x, y, ... with at least three corners, or run lengths with the size [height, width] "
    "and counts, or take the annotation out"
)


class COCOMasks(COCOFile):
    """As ``COCOFile``, and instances (B, S, S): a pixel is k + 1 where it shows object k, else 0.

    Args:
        annotations, root, val_annotations, test_annotations, num_classes, in_channels, image_size: As of ``COCOFile``.
        **files: See ``ObjectFiles``.

    Raises:
        UserError: As ``COCOFile``; an annotation without a segmentation, with one that cannot be read, or with one that
            leaves its picture, if ``skip_bad_boxes`` does not leave such out.
    """

    def __init__(
        self,
        annotations: str = "",
        root: str = "",
        val_annotations: str = "",
        test_annotations: str = "",
        num_classes: int = 0,
        in_channels: int = 0,
        image_size: int = 0,
        **files: Any,
    ) -> None:
        where = annotations, root, val_annotations, test_annotations
        super().__init__(*where, num_classes, in_channels, image_size, **files)
        refuse_mixing(self.augmentation)

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return augment_instances(batch, self.flip, self.augmentation)

    def load_split(self, items: list[Annotated]) -> tuple[Tensor, ...]:
        known = {file: segments(file, self.root) for file in {item.source for item in items}}
        everything = sum(len(item.boxes) for item in items)
        items = [self.inside(item, known[item.source]) for item in items]
        if left_out := everything - sum(len(item.boxes) for item in items):
            note(f"{self.root}: {left_out} polygons leave their pictures; their objects are left out")
        parts = super().load_split(items)
        instances = np.zeros((len(items), self.image_size, self.image_size), np.uint8)
        for row, item in enumerate(items):
            good = fractions(item)[1].tolist()
            shapes = known[item.source][item.path]
            own = [shape for shape, keep in zip(shapes, good, strict=True) if keep]
            instances[row] = instance_map(own, item, self.image_size)
        return *parts, torch.from_numpy(instances)

    def inside(self, item: Annotated, shapes: dict[str, list[Any]]) -> Annotated:
        """A picture with the objects whose segmentations can be read and lie in it; ``shapes`` has then only these.

        Raises:
            UserError: One cannot be read; one leaves the picture, and such are not left out.
        """
        own, (width, height) = shapes[item.path], stated_size(item)
        keep = []
        for k, shape in enumerate(own):
            what = f"{item.source}: object {k + 1} ({item.labels[k]}) of {Path(item.path).name}"
            if why := fault_of(shape, width, height):
                raise UserError(f"{what} has a segmentation that cannot be read ({why}): {FORM}")
            reach = corners(shape)
            out = len(reach) > 0 and bool((reach.min(0) < -1).any() or (reach.max(0) > (width + 1, height + 1)).any())
            if out and not self.skip_bad_boxes:
                (left, top), (right, bottom) = reach.min(0), reach.max(0)
                raise UserError(
                    f"{what} has a polygon from ({left:g}, {top:g}) to ({right:g}, {bottom:g}), outside of the picture "
                    f"of {width} x {height} pixels: correct it, or leave such out: --data.skip_bad_boxes true"
                )
            if not out:
                keep.append(k)
        shapes[item.path] = [own[k] for k in keep]
        pick: dict[str, Any] = {name: [getattr(item, name)[k] for k in keep] for name in ("boxes", "labels", "ignored")}
        return replace(item, **pick)


def segments(file: str, root: str) -> dict[str, list[Any]]:
    """The segmentations of each picture of a JSON file that ``read_coco`` has read, by its path, in their order."""
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    folder = Path(root or Path(file).parent)
    names = {image["id"]: str(folder / image["file_name"]) for image in content["images"]}
    found: dict[str, list[Any]] = defaultdict(list)
    for k, thing in enumerate(content.get("annotations", []), 1):
        if not thing.get("segmentation"):
            raise UserError(
                f"{file}: annotation {k} has no segmentation: train vision/faster_rcnn with --data COCOFile on boxes"
            )
        found[names[thing["image_id"]]].append(thing["segmentation"])
    return found


def stated_size(item: Annotated) -> tuple[int, int]:
    """The width and the height that an annotation says, else those of the file."""
    if item.size and all(item.size):
        return item.size
    with Image.open(item.path) as image:
        return image.size


def corners(shape: Any) -> np.ndarray:
    """The corners (n, 2) of polygons; none of run lengths."""
    parts = [np.asarray(part, dtype=float).reshape(-1, 2) for part in shape] if isinstance(shape, list) else []
    return np.concatenate(parts) if parts else np.empty((0, 2))


def fault_of(shape: Any, width: int, height: int) -> str:
    """Why a segmentation is neither polygons nor run lengths of a picture of this size; empty where it is."""
    if isinstance(shape, list):
        for part in shape:
            if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
                size = f"{len(part)} numbers" if isinstance(part, list) else f"not numbers but {part!r:.40}"
                return f"a polygon has {size}"
            if not all(isinstance(n, int | float) and math.isfinite(n) for n in part):
                return "a polygon has something that is not a number"
        return ""
    if not isinstance(shape, dict):
        return f"it is {shape!r:.40}"
    given, counts = shape.get("size"), shape.get("counts")
    if given != [height, width]:
        return f"its size is {given}, the picture's {[height, width]}"
    if isinstance(counts, list):
        whole = all(isinstance(n, int) and n >= 0 for n in counts)
        return "" if whole and sum(counts) == width * height else "its counts do not add up to the picture's pixels"
    return "" if isinstance(counts, str) else "its counts are neither a text nor numbers"


def instance_map(shapes: list[Any], item: Annotated, side: int) -> np.ndarray:
    """The numbers (side, side) uint8 of a picture's objects, upright; the largest object behind the others.

    Raises:
        UserError: A segmentation cannot be read, or there are too many.
    """
    from pycocotools import mask as coco

    if len(shapes) > MOST:
        raise UserError(f"{item.source}: {item.path} has {len(shapes)} objects: at most {MOST} can have masks")
    with Image.open(item.path) as image:
        exif = image.getexif()
    width, height = stated_size(item)
    whole = np.zeros((height, width), np.uint8)
    masks = []
    for k, shape in enumerate(shapes, 1):
        try:
            runs = coco.frPyObjects(shape, height, width) if needs_runs(shape) else shape
            masks.append(coco.decode(coco.merge(runs) if isinstance(runs, list) else runs).astype(bool))
            if masks[-1].shape != whole.shape:
                raise ValueError(f"it is of {masks[-1].shape[1]} x {masks[-1].shape[0]} pixels")
        except Exception:  # the library raises many kinds
            what = f"{item.source}: object {k} ({item.labels[k - 1]}) of {Path(item.path).name}"
            raise UserError(f"{what} has a segmentation that cannot be read: {FORM}") from None
    for number in sorted(range(len(masks)), key=lambda k: -int(masks[k].sum())):
        whole[masks[number]] = number + 1
    found = Image.fromarray(whole)
    if (width, height) == image.size:  # annotated as it is stored: turned as its picture is
        found.getexif().update(exif)
        found = ImageOps.exif_transpose(found)
    return np.asarray(found.resize((side, side), Image.Resampling.NEAREST))


def needs_runs(shape: Any) -> bool:
    """Whether a segmentation is polygons or run lengths as numbers, not yet the library's own form."""
    return isinstance(shape, list) or isinstance(shape.get("counts"), list)
