"""Your own pictures: a folder with one sub-folder a class, of any sizes, gray or color, in any format that PIL reads.

    dive fit cnn/lenet --data ImageFolder --data.root flowers
    dive test cnn/lenet --data.test_root more              all pictures of a folder of its own
    dive predict cnn/lenet --data.root new_pictures        any folder, no classes needed; flowers is not read

``flowers/tulip/*.jpg, flowers/rose/*.jpg`` are split by ``val_fraction`` and ``test_fraction``, stratified by class,
always in the same way. Folders ``flowers/{train,val,test}/tulip/*.jpg`` are used as splits; a split without a folder is
taken from train. For models that read no classes, which make pictures, ``--data.unlabeled true`` takes any folder.
"""

import os
from collections.abc import Mapping
from statistics import median_low
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from common.messages import UserError, note
from datamodules.base import TensorLoader
from datamodules.cache import digest_of_files, kept
from datamodules.data_digest import Split
from datamodules.reading import some
from datamodules.vision.class_folders import (
    SPLIT_OF,
    KnowsItsClassFolder,
    Splits,
    all_files,
    class_names_of,
    find_images,
    find_splits,
    other_files,
    say_others,
)
from datamodules.vision.image_files import (
    FileLoader,
    Findings,
    ImageFiles,
    in_threads,
    read_header,
    readable,
    warnings_by_file,
    whole_picture,
)
from datamodules.vision.images import ImageTensors

LARGEST_FOUND = 64  # pixels: a small network trains at this size within minutes; give image_size for more
MOST_HEADERS = 10_000  # headers that are read; larger folders are sampled evenly


class ImageFolder(KnowsItsClassFolder, ImageTensors):
    """Images (B, in_channels, image_size, image_size) in [0, 1] with the number of their class folder in sorted order.

    Each image is turned upright, the largest centered square cut out and resized. Files that cannot be read are left
    out with a warning. A set that fits in memory is decoded once; a larger one is decoded anew each epoch by worker
    processes, after one pass that finds the unreadable files. Both resume in the middle of an epoch.

    Args:
        root: The folder. At test time all of a folder that is not the run's is tested.
        num_classes, in_channels, image_size: 0 means as found in the files (``infer``).
        val_fraction, test_fraction: Fractions of every class where there is no val or test folder.
        memory_limit_mb: Decoded images (uint8) up to this many megabytes are kept in memory, per process.
        num_workers: Worker processes that decode a set over the limit.
        test_root: A folder of its own whose images are the test images, all of them; none of ``root`` is tested then.
        unlabeled: All images are of one class, whatever their sub-folders; train, val and test are splits still.
        **images: See ``ImageTensors``.

    Raises:
        UserError: No such folder, no class folders, too few classes or images, too many unreadable files.
    """

    items = "images"

    def __init__(
        self,
        root: str = "",
        num_classes: int = 0,
        in_channels: int = 0,
        image_size: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        memory_limit_mb: float = 2000,
        num_workers: int = 4,
        test_root: str = "",
        unlabeled: bool = False,
        **images: Any,
    ) -> None:
        if not (num_classes and in_channels and image_size):
            how: dict[str, Any] = {"unlabeled": True} if unlabeled else {}
            found = self.infer(root, num_classes, in_channels, image_size, **how)
            num_classes, in_channels, image_size = (found[k] for k in ("num_classes", "in_channels", "image_size"))
        super().__init__(num_classes, in_channels, image_size, **images)
        if in_channels not in (1, 3):
            raise UserError(f"data.in_channels is {in_channels}: images are read with 1 (gray) or 3 (color)")
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.root, self.test_root, self.unlabeled = root, test_root, unlabeled
        self.val_fraction, self.test_fraction = val_fraction, 0.0 if test_root else test_fraction
        self.memory_limit_mb = memory_limit_mb
        self.num_workers = num_workers
        self.crop = True  # the largest square, not the whole picture
        self.streamed: list[str] = []  # files that the workers decode, over all splits that do not fit in memory

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.test_root if self.test_root and self.splits.keys() == {"test"} else self.root

    @staticmethod
    def infer(
        root: str = "", num_classes: int = 0, in_channels: int = 0, image_size: int = 0, unlabeled: bool = False
    ) -> dict[str, int]:
        """The sizes by the folders' names and the images' headers; arguments that are not 0 are kept.

        ``num_classes`` is the number of class folders; ``in_channels`` 1 when all images are gray, else 3 (a palette
        counts as color); ``image_size`` the median of the short sides, at most 64.
        """
        splits = one_class(root) if unlabeled else find_splits(root)
        classes = class_names_of(splits)
        files = [path for files in (splits.get("train") or splits["all"]).values() for path in files]
        files = files[:: -(-len(files) // MOST_HEADERS)]
        with warnings_by_file({}):  # said with the files' names when they are decoded
            paths = [os.path.join(root, file) for file in files]
            headers = [h for h in in_threads(read_header, paths, f"reading headers of {root}") if h]
        if not headers:
            raise UserError(f"{root}: none of its {len(files)} image files can be read")
        side = median_low([side for side, _ in headers])
        return {
            "num_classes": num_classes or len(classes),
            "in_channels": in_channels or (1 if all(gray for _, gray in headers) else 3),
            "image_size": image_size or min(LARGEST_FOUND, side),
        }

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "in_channels": self.in_channels, "image_size": self.image_size}

    def load_processor(self, processor: dict[str, Any]) -> None:
        """Also whether the model saw whole pictures, as detectors do: they are not cut then, only resized."""
        super().load_processor(processor)
        self.crop = not processor.get("whole_pictures", False)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            names = find_images(self.root)
            if not names:
                others = other_files(self.root, [])
                why = say_others(others, "images") if others else "give --data.root another folder"
                raise UserError(f"{self.root} has no images: {why}")
            images, good = self._open(names)
            self.predict_names = [name for name, kept in zip(names, good.tolist(), strict=True) if kept]
            return {"predict": (closed_up(images, good),)}
        if stage == "test" and self.test_root:
            trained_on, self.root = self.root, self.test_root
            try:
                names = self.class_names or class_names_of(self.find_splits())
                file_names, y = all_files(self.root, self.find_splits(), names)
                return self._load_labeled({"test": file_names}, {"test": y})
            finally:
                self.root = trained_on
        return self._load_labeled(*self._labeled_files(stage))

    def _load_labeled(self, files: dict[str, list[str]], labels: dict[str, Tensor]) -> dict[str, tuple[Tensor, ...]]:
        images, good = self._open([path for paths in files.values() for path in paths])
        y = torch.cat(list(labels.values()))
        self._refuse_unreadable(y, good)
        sizes = [len(paths) for paths in files.values()]
        parts = zip(files, images.split(sizes), y.split(sizes), good.split(sizes), strict=True)
        return {name: (closed_up(x, keep), t[keep]) for name, x, t, keep in parts}

    def predict_picture(self, row: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
        """The whole picture of a row of the predict split, and the square of it that the model saw."""
        assert self.predict_names is not None
        image, square = whole_picture(os.path.join(self.root, self.predict_names[row]))
        return image, square if self.crop else (0.0, 0.0, float(image.width), float(image.height))

    def content(self) -> Mapping[str, Split]:
        """Of images that are decoded anew each epoch the files' names and sizes."""
        names = [f"{os.path.relpath(path, self.root)} {os.path.getsize(path)}" for path in self.streamed]
        return {
            split: ([names[i] for i in tensors[0].tolist()], *tensors[1:]) if tensors[0].ndim == 1 else tensors
            for split, tensors in self.splits.items()
        }

    def _labeled_files(self, stage: str) -> tuple[dict[str, list[str]], dict[str, Tensor]]:
        """The files and class numbers of the splits that ``stage`` needs."""
        splits = self.find_splits()
        if self.class_names is None:  # else set by the run that trained the model
            self.class_names = class_names_of(splits)
            if len(self.class_names) != self.num_classes:
                raise UserError(
                    f"{self.root} has {len(self.class_names)} class folders, but data.num_classes is {self.num_classes}"
                )
        known = self.label_files(stage, splits)
        return {s: files for s, (files, _) in known.items()}, {s: y for s, (_, y) in known.items()}

    def find_splits(self) -> Splits:
        """``{split: {class: files}}``, by the names of the folders."""
        return one_class(self.root) if self.unlabeled else find_splits(self.root)

    def _open(self, files: list[str]) -> tuple[Tensor, Tensor]:
        """Images (N, C, S, S) uint8, or their row numbers (N,) if they are too many; and which can be read (N,)."""
        paths = [os.path.join(self.root, file) for file in files]
        c, s = self.in_channels, self.image_size
        found = Findings()
        if len(paths) * c * s * s <= self.memory_limit_mb * 1e6:
            images, good, found = self._decode(paths)
        else:
            images = torch.arange(len(paths)) + len(self.streamed)
            self.streamed += paths
            good = self._readable_by_all_ranks(paths, found)
            self.facts.append("decoded anew each epoch, for they are more than data.memory_limit_mb")
        self.facts += found.facts(s, c, self.crop)
        if others := other_files(self.root, find_images(self.root)):
            self.facts.append(said := say_others(others, "images"))
            if self.trainer is None:
                note(f"{self.root}: {said}")
        if bad := [file for file, kept in zip(files, good.tolist(), strict=True) if not kept]:
            reasons = {file: found.reasons.get(os.path.join(self.root, file), "") for file in bad}
            if len(bad) == len(files):
                raise UserError(
                    f"{self.root}: none of its {len(bad)} images can be read, such as {bad[0]} ({reasons[bad[0]]}): "
                    "replace them"
                )
            named = some([f"{file} ({why})" if why else file for file, why in reasons.items()], 3)
            note(f"{self.root}: {len(bad)} of {len(files)} images cannot be read and are left out: {named}")
        return images, good

    def _decode(self, paths: list[str]) -> tuple[Tensor, Tensor, Findings]:
        """Images (N, C, S, S), which can be read (N,), and what was found; kept for the next start if it took long."""

        def make() -> dict[str, Any]:
            found, c, s = Findings(), self.in_channels, self.image_size
            images = torch.zeros(len(paths), c, s, s, dtype=torch.uint8)
            good = readable(paths, c, s, keep=images, found=found, crop=self.crop)
            return {"images": images, "good": good, "found": vars(found)}

        how = f"images {self.in_channels} {self.image_size}{'' if self.crop else ' whole'}"
        made = kept(f"reading {len(paths):,} images of {self.root}", digest_of_files(paths), how, make)
        return made["images"], made["good"], Findings(**made["found"])

    def _readable_by_all_ranks(self, paths: list[str], found: Findings | None = None) -> Tensor:
        rank, world = self._rank_and_world()
        if world == 1:
            return readable(paths, self.in_channels, self.image_size, found=found)
        parts: list[Any] = [None] * world
        mine = readable(paths[rank::world], self.in_channels, self.image_size, found=found)
        torch.distributed.all_gather_object(parts, mine)
        good = torch.empty(len(paths), dtype=torch.bool)
        for r, part in enumerate(parts):
            good[r::world] = part
        return good

    def _refuse_unreadable(self, y: Tensor, good: Tensor) -> None:
        if int(good.sum()) * 2 < len(good):
            raise UserError(
                f"{self.root}: {int((~good).sum())} of {len(good)} images cannot be read, more than half: replace them"
            )
        assert self.class_names is not None
        for label in y.unique().tolist():
            if not good[y == label].any():
                raise UserError(f"{self.root}: no image of class {self.class_names[label]!r} can be read")

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        plain = super()._loader(split, shuffle)
        if plain.tensors[0].ndim > 1:  # images
            return plain
        names = ("tensors", "batch_size", "shuffle", "seed", "rank", "world", "pin_memory")
        files = ImageFiles(self.streamed, self.in_channels, self.image_size, self.crop)
        return FileLoader(files, self.num_workers, **{name: getattr(plain, name) for name in names})


def one_class(root: str) -> Splits:
    """``{split: {"image": files}}`` of all images under a folder; one split ``all`` without a folder train.

    Raises:
        UserError: There are none.
    """
    splits: Splits = {}
    for file in find_images(root):
        split = SPLIT_OF.get(file.split("/")[0].lower(), "all") if "/" in file else "all"
        splits.setdefault(split, {}).setdefault("image", []).append(file)
    if not {"train", "all"} & splits.keys():
        raise UserError(f"{root} has no images to train on: give --data.root another folder")
    return {split: files for split, files in splits.items() if split != "all" or "train" not in splits}


def closed_up(images: Tensor, keep: Tensor) -> Tensor:
    """The rows of images (N, ...) that are kept (N,), moved up in place: a copy would need the memory twice."""
    rows = keep.nonzero().flatten().tolist()
    for new, old in enumerate(rows):
        if new != old:
            images[new] = images[old]
    return images[: len(rows)]
