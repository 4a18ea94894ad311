"""Your own pictures with boxes and masks in COCO's JSON: ``segmentation`` of each annotation, polygons or run lengths.

    dive fit vision/mask_rcnn --data COCOMasks --data.annotations objects.json --data.root photos
    dive predict vision/mask_rcnn --data.root new_photos        any folder of pictures; the JSON is not read

At most 254 objects a picture. Where masks overlap, the smaller object is in front. A box without a segmentation is
refused: train ``vision/faster_rcnn`` with ``COCOFile`` on boxes.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from common.messages import UserError
from datamodules.vision.coco_file import COCOFile
from datamodules.vision.instances import augment_instances, refuse_mixing
from datamodules.vision.object_files import Annotated, fractions

MOST = 254  # 255 is void while pictures are moved


class COCOMasks(COCOFile):
    """As ``COCOFile``, and instances (B, S, S): a pixel is k + 1 where it shows object k, else 0.

    Args:
        annotations, root, val_annotations, test_annotations, num_classes, in_channels, image_size: As of ``COCOFile``.
        **files: See ``ObjectFiles``.

    Raises:
        UserError: As ``COCOFile``; an annotation without a segmentation, or with one that cannot be read.
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
        parts = super().load_split(items)
        known = {file: segments(file, self.root) for file in {item.source for item in items}}
        instances = np.zeros((len(items), self.image_size, self.image_size), np.uint8)
        for row, item in enumerate(items):
            good = fractions(item)[1].tolist()
            shapes = known[item.source][item.path]
            own = [shape for shape, keep in zip(shapes, good, strict=True) if keep]
            instances[row] = instance_map(own, item, self.image_size)
        return *parts, torch.from_numpy(instances)


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


def instance_map(shapes: list[Any], item: Annotated, side: int) -> np.ndarray:
    """The numbers (side, side) uint8 of a picture's objects, upright; the largest object behind the others.

    Raises:
        UserError: A segmentation cannot be read, or there are too many.
    """
    from pycocotools import mask as coco

    if len(shapes) > MOST:
        raise UserError(f"{item.source}: {item.path} has {len(shapes)} objects: at most {MOST} can have masks")
    with Image.open(item.path) as image:
        width, height = image.size
        exif = image.getexif()
    if item.size and all(item.size):
        width, height = item.size
    whole = np.zeros((height, width), np.uint8)
    masks = []
    for k, shape in enumerate(shapes, 1):
        try:
            runs = coco.frPyObjects(shape, height, width) if needs_runs(shape) else shape
            masks.append(coco.decode(coco.merge(runs) if isinstance(runs, list) else runs).astype(bool))
            if masks[-1].shape != whole.shape:
                raise ValueError(f"it is of {masks[-1].shape[1]} x {masks[-1].shape[0]} pixels")
        except Exception as error:  # the library raises many kinds
            raise UserError(
                f"{item.source}: segmentation {k} of {Path(item.path).name} cannot be read ({error})"
            ) from None
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
