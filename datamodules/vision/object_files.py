"""The base of your own pictures with boxes: reads them whole, turns boxes with them, checks everything by name.

A picture is resized to a square, not cut: boxes are fractions of its sides and need no change. A photograph that its
EXIF says to turn is turned, and its boxes with it: an annotation whose size is that of the pixels as they are stored
has its boxes there, one whose size is that of the upright picture has them already turned.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from common.messages import UserError, did_you_mean, note
from datamodules.splits import split_fractions
from datamodules.vision.class_folders import KnowsItsFolder, find_images
from datamodules.vision.image_files import decode, in_threads, read_header, reason_of, whole_picture
from datamodules.vision.objects import ObjectImages, padded

LARGEST_FOUND = 256  # pixels: the book's size for TinySSD
MOST_HEADERS = 1000


@dataclass
class Annotated:
    """A picture and its objects.

    Args:
        path: The picture's file.
        source: Where its objects are written, for messages.
        size: Its width and height in pixels as that says; None if it does not.
        boxes: Left, top, right, bottom in pixels of each object.
        labels: The name of each object's class.
        ignored: Whether each neither teaches nor counts (difficult, a crowd).
    """

    path: str
    source: str
    size: tuple[int, int] | None = None
    boxes: list[list[float]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)


Split = dict[str, list[Annotated]]


class ObjectFiles(KnowsItsFolder, ObjectImages):
    """Pictures (B, in_channels, S, S) in [0, 1], whole, resized to a square, with the objects of their annotations.

    Args:
        root: The folder.
        num_classes, in_channels, image_size: 0 means as found in the files (``infer``): the classes, color, and the
            median of the short sides, at most 256.
        val_fraction, test_fraction: Fractions of the pictures where there is no list for validation or test.
        skip_bad_boxes: Boxes that are empty, inverted or outside of their picture are left out with a note, instead of
            refused.
        memory_limit_mb: The most memory for decoded pictures (uint8), in megabytes.
        **objects: See ``ObjectImages``.
    """

    items = "pictures"
    decides = "classes, names or sizes of its files"

    def __init__(
        self,
        root: str,
        num_classes: int = 0,
        in_channels: int = 0,
        image_size: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        skip_bad_boxes: bool = False,
        memory_limit_mb: float = 4000,
        **objects: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **objects)
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.root = root
        self.val_fraction, self.test_fraction = val_fraction, test_fraction
        self.skip_bad_boxes = skip_bad_boxes
        self.memory_limit_mb = memory_limit_mb

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.root

    def read(self) -> Split:
        """The annotated pictures by split, or under ``all``."""
        raise NotImplementedError

    def of_another(self, stage: str, found: Split) -> list[Annotated] | None:
        """What is evaluated of a folder that is not the run's: its own list, or all pictures; None of the run's.

        Raises:
            UserError: The run's folder changed, and its split is drawn.
        """
        split, every = "test" if stage == "test" else "val", [item for part in found.values() for item in part]
        files = [(" ".join(item.labels), os.path.relpath(item.path, self.root)) for item in every]
        files += [("", os.path.relpath(item.source, self.root)) for item in every]
        part = f"the {split} list" if split in found else ""
        return found.get(split, every) if self.is_another_folder(stage, files, part) else None

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "in_channels": self.in_channels, "image_size": self.image_size}

    def predict_picture(self, row: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
        """The picture of a row of the predict split; the model saw all of it."""
        assert self.predict_names is not None
        image, _ = whole_picture(os.path.join(self.root, self.predict_names[row]))
        return image, (0.0, 0.0, float(image.width), float(image.height))

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            return self.load_pictures()
        found = self.read()
        if self.class_names is None:
            self.class_names = class_names_of(found)  # before the split, as ``infer`` finds them
        if len(self.class_names) != self.num_classes:
            raise UserError(
                f"{self.root} has {len(self.class_names)} classes ({', '.join(self.class_names[:6])}), but "
                f"data.num_classes is {self.num_classes}"
            )
        if (other := self.of_another(stage, found)) is not None:
            return {"test" if stage == "test" else "val": self.load_split(other)}
        splits = divided(found, self.val_fraction, self.test_fraction)
        wanted = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}[stage]
        if missing := [name for name in wanted if name not in splits]:
            raise UserError(
                f"{self.root}: its lists for {' and '.join(found)} name all pictures, and none is left for "
                f"{missing[0]}: write a list for {missing[0]}, or annotate pictures that no list names"
            )
        return {name: self.load_split(splits[name]) for name in wanted}

    def load_pictures(self) -> dict[str, tuple[Tensor, ...]]:
        """All pictures of the folder, for predictions; those that cannot be read are left out."""
        names = find_images(self.root)
        paths = [os.path.join(self.root, name) for name in names]
        good = [name for name, header in zip(names, in_threads(read_header, paths), strict=True) if header]
        if not good:
            raise UserError(f"{self.root} has no images that can be read: give --data.root another folder")
        if len(good) < len(names):
            note(f"{self.root}: {len(names) - len(good)} of {len(names)} images cannot be read and are left out")
        self.predict_names = good
        return {"predict": (self.decode([os.path.join(self.root, name) for name in good]),)}

    def decode(self, paths: Sequence[str]) -> Tensor:
        """Pictures (N, C, S, S) uint8.

        Raises:
            UserError: One cannot be read, or they do not fit into memory.
        """
        c, s = self.in_channels, self.image_size
        if len(paths) * c * s * s > self.memory_limit_mb * 1e6:
            raise UserError(
                f"{len(paths)} pictures of {s} x {s} pixels take {len(paths) * c * s * s / 1e6:.0f} MB: lower "
                "data.image_size, or raise data.memory_limit_mb"
            )
        images = np.empty((len(paths), c, s, s), np.uint8)

        def read(i: int) -> None:
            try:
                images[i] = decode(paths[i], c, s, crop=False)
            except Exception as error:  # PIL raises many kinds for a damaged file
                why = reason_of(error)
                raise UserError(f"{paths[i]} cannot be read ({why}): replace it or remove its annotation") from None

        in_threads(read, range(len(paths)))
        return torch.from_numpy(images)

    def load_split(self, items: list[Annotated]) -> tuple[Tensor, ...]:
        assert self.class_names is not None
        number = {name: i for i, name in enumerate(self.class_names)}
        images = self.decode([item.path for item in items])
        rows, skipped = [], 0
        for item in items:
            boxes, good = fractions(item)
            if not self.skip_bad_boxes and not good.all():
                k = int((~good).nonzero()[0][0])
                raise UserError(
                    f"{item.source}: object {k + 1} ({item.labels[k]}) has the box {item.boxes[k]}, which is empty, "
                    "inverted or outside of the picture: correct it, or leave such out: --data.skip_bad_boxes true"
                )
            skipped += int((~good).sum())
            if unknown := [name for name in item.labels if name not in number]:
                raise UserError(
                    f"{item.source}: class {unknown[0]!r} is not among the classes of training"
                    f"{did_you_mean(unknown[0], number)}"
                )
            labels = torch.tensor([number[name] for name in item.labels], dtype=torch.long)
            rows.append((boxes[good], torch.tensor(item.ignored, dtype=torch.bool)[good], labels[good]))
        if skipped:
            note(f"{self.root}: {skipped} boxes are empty, inverted or outside of their pictures and are left out")
        return images, *padded(rows)


def sizes_of(splits: Split, root: str, num_classes: int, in_channels: int, image_size: int) -> dict[str, int]:
    """The sizes that ``infer`` returns: those given, else as found in the annotations and the pictures' headers."""
    items = [item for part in splits.values() for item in part]
    if not image_size or not in_channels:
        headers = [h for h in in_threads(read_header, [item.path for item in items[:MOST_HEADERS]]) if h]
        if not headers:
            raise UserError(f"{root}: none of its {len(items)} pictures can be read, such as {items[0].path}")
        image_size = image_size or min(LARGEST_FOUND, median_low([side for side, _ in headers]))
        in_channels = in_channels or (1 if all(gray for _, gray in headers) else 3)
    return {
        "num_classes": num_classes or len(class_names_of(splits)),
        "in_channels": in_channels,
        "image_size": image_size,
    }


def class_names_of(splits: Split) -> list[str]:
    """The sorted names of the classes in the list of training; without such a list, of all pictures."""
    items = splits.get("train") or [item for part in splits.values() for item in part]
    return sorted({name for item in items for name in item.labels})


def divided(splits: Split, val_fraction: float, test_fraction: float) -> Split:
    """Train, validation and test: a split without a list of its own is taken from train, or from all pictures.

    A picture that was drawn for another split and has a class without any to train on changes places with one to spare.
    Where there are neither ``train`` nor ``all``, only the splits with lists are returned.
    """
    known = dict(splits)
    if (whole := known.pop("all", None) or known.pop("train", None)) is None:
        return known
    fractions = (0.0 if "val" in known else val_fraction, 0.0 if "test" in known else test_fraction)
    needed = 1 + sum(part > 0 for part in fractions)
    if len(whole) < needed:
        raise UserError(f"{whole[0].source}: {len(whole)} pictures are too few to split: give at least {needed}")
    drawn = [name for name in ("val", "test") if name not in known]
    for name, rows in zip(("train", "val", "test"), split_fractions(torch.zeros(len(whole)), *fractions), strict=True):
        known.setdefault(name, [whole[i] for i in rows.tolist()])
    train, count = known["train"], Counter(label for item in known["train"] for label in set(item.labels))
    for name in drawn:
        for place, item in enumerate(known[name]):
            if all(count[label] for label in item.labels):
                continue
            spare = next((k for k, other in enumerate(train) if all(count[label] > 1 for label in other.labels)), None)
            if spare is not None:
                known[name][place], train[spare] = train[spare], item
                count.subtract(set(known[name][place].labels))
                count.update(set(item.labels))
    return known


def fractions(item: Annotated) -> tuple[Tensor, Tensor]:
    """An item's boxes (n, 4) in fractions of the upright picture, and which of them are good (n,).

    Raises:
        UserError: The picture's size is not the one that the annotation says.
    """
    with Image.open(item.path) as image:
        stored, orientation = image.size, image.getexif().get(0x0112, 1)
    turned = (stored[1], stored[0]) if orientation >= 5 else stored
    size = item.size if item.size and all(item.size) else stored  # some programs write 0 x 0
    if size not in (stored, turned):
        raise UserError(
            f"{item.source} says that {os.path.basename(item.path)} has {size[0]} x {size[1]} pixels, but it has "
            f"{stored[0]} x {stored[1]}: these boxes are of another picture"
        )
    boxes = torch.tensor(item.boxes, dtype=torch.float64).reshape(-1, 4) / torch.tensor([*size, *size])
    good = (boxes[:, 2:] > boxes[:, :2]).all(1) & (boxes >= 0).all(1) & (boxes <= 1).all(1)
    return (turn(boxes, orientation) if size == stored else boxes).float(), good


def turn(boxes: Tensor, orientation: int) -> Tensor:
    """Boxes (n, 4) in fractions of a stored picture, in those of the upright one. ``orientation`` is EXIF's, 1 to 8."""
    left, top, right, bottom = boxes.unbind(-1)
    if orientation >= 5:  # the rows are columns
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 6, 7):
        left, right = 1 - right, 1 - left
    if orientation in (3, 4, 7, 8):
        top, bottom = 1 - bottom, 1 - top
    return torch.stack([left, top, right, bottom], -1)
