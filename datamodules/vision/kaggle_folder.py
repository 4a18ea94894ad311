"""A Kaggle competition of pictures as it is published: labels in a table, pictures in two folders. D2L 14.13 and 14.14.

    root/trainLabels.csv  or  labels.csv      two columns: id, and the class
    root/train/ID.png     root/test/ID.png    or any other format
    root/sampleSubmission.csv                 says what a submission has: a class, or a probability of each

    dive fit cnn/resnet_kaggle_cifar10 --data.root DIR                              held-out pictures of every class
    dive fit cnn/resnet_kaggle_cifar10 --data.root DIR --data.num_folds 5 --data.fold 0
    dive fit cnn/resnet_kaggle_cifar10 --data.root DIR --data.everything true       for the submission
    dive predict cnn/resnet_kaggle_cifar10 --data.root DIR                          submission.csv

Departs from the book: ids that are numbers are sorted as numbers (the book's 1, 10, 100, 2 ... belong to other rows
than Kaggle's), validation keeps its last, smaller batch, and the number of a test is of pictures that chose nothing.
"""

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median_low
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.reading import some
from datamodules.vision.class_folders import Splits, find_images
from datamodules.vision.image_files import in_threads, read_header, whole_picture
from datamodules.vision.image_folder import LARGEST_FOUND, MOST_HEADERS, ImageFolder, closed_up

ADDRESS = "http://d2l-data.s3-accelerate.amazonaws.com/kaggle_cifar10_tiny.zip"
TABLES = ("trainLabels.csv", "labels.csv", "train.csv")
SAMPLES = ("sampleSubmission.csv", "sample_submission.csv")


class KaggleFolder(ImageFolder):
    """Images and classes of a competition's folder.

    Args:
        root: The folder.
        num_classes, in_channels, image_size: 0 means as found in the table and the files.
        val_fraction, test_fraction: Fractions of every class that are held out: the first chooses, the second tests.
        num_folds, fold: With folds, the pictures of ``fold`` (counted from 0) are the test pictures, and
            ``test_fraction`` is not used.
        everything: All labeled pictures are trained on, as the last step before a submission. The number of
            validation is then of pictures that were trained on, and nothing is left to test.
        submission: What ``submission.csv`` has of each picture; ``auto`` is as the competition's sample says, and
            the class where there is none.
        **images: See ``ImageFolder``.

    Raises:
        UserError: No table, an id without a picture or twice, a fold that there is not, ``unlabeled``.
    """

    folders_are_splits = False

    def __init__(
        self,
        root: str = "",
        num_classes: int = 0,
        in_channels: int = 0,
        image_size: int = 0,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        num_folds: int = 0,
        fold: int = 0,
        everything: bool = False,
        submission: Literal["auto", "label", "probabilities"] = "auto",
        **images: Any,
    ) -> None:
        if images.get("unlabeled"):
            raise UserError("data.unlabeled is for folders without classes: a competition's table has them")
        if num_folds and not 0 <= fold < num_folds:
            raise UserError(f"data.fold is {fold}: with data.num_folds {num_folds} give one of 0 to {num_folds - 1}")
        self.num_folds, self.fold, self.everything = num_folds, fold, everything
        super().__init__(
            root,
            num_classes,
            in_channels,
            image_size,
            val_fraction=val_fraction,
            test_fraction=0.0 if num_folds else test_fraction,
            **images,
        )
        self.wanted_submission, self.submission = submission, "label"
        self.submission_names = ("id", "label")

    @staticmethod
    def infer(
        root: str = "", num_classes: int = 0, in_channels: int = 0, image_size: int = 0, unlabeled: bool = False
    ) -> dict[str, int]:
        """The sizes by the table and the images' headers; arguments that are not 0 are kept."""
        files = [file for files in labeled(root).values() for file in files]
        files = files[:: -(-len(files) // MOST_HEADERS)]
        paths = [os.path.join(root, file) for file in files]
        headers = [h for h in in_threads(read_header, paths, f"reading headers of {root}") if h]
        if not headers:
            raise UserError(f"{root}: none of its {len(files)} image files can be read")
        return {
            "num_classes": num_classes or len(labeled(root)),
            "in_channels": in_channels or (1 if all(gray for _, gray in headers) else 3),
            "image_size": image_size or min(LARGEST_FOUND, median_low([side for side, _ in headers])),
        }

    def find_splits(self) -> Splits:
        classes = labeled(self.root)
        if self.num_folds:
            return {"train": dict(folds := self._fold(classes))["train"], "test": folds["test"]}
        return {"all": classes}

    def _fold(self, classes: dict[str, list[str]]) -> Splits:
        """The pictures of the fold, and the others; each class is divided by itself, shuffled in the same way."""
        parts: Splits = {"train": {}, "test": {}}
        generator = torch.Generator().manual_seed(0)
        for name, files in classes.items():
            order = torch.randperm(len(files), generator=generator).tolist()
            own = set(order[self.fold :: self.num_folds])
            parts["train"][name] = [file for k, file in enumerate(files) if k not in own]
            parts["test"][name] = [file for k, file in enumerate(files) if k in own]
        return parts

    def _labeled_files(self, stage: str) -> tuple[dict[str, list[str]], dict[str, Tensor]]:
        if self.everything and stage == "test":
            raise UserError("data.everything leaves no labeled picture to test: test a run without it")
        files, labels = super()._labeled_files(stage)
        if not self.everything or stage == "validate":
            return files, labels
        classes = labeled(self.root)
        assert self.class_names is not None
        every = {file: number for number, name in enumerate(self.class_names) for file in classes[name]}
        files["train"], labels["train"] = list(every), torch.tensor(list(every.values()))
        return files, labels

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage != "predict":
            return super().load(stage)
        inside = "test/" if os.path.isdir(os.path.join(self.root, "test")) else ""
        files = sorted(find_images(os.path.join(self.root, inside)), key=lambda file: by_number(Path(file).stem))
        if not files:
            raise UserError(
                f"{os.path.join(self.root, inside)} has no images: give --data.root the competition's folder"
            )
        images, good = self._open([inside + file for file in files])
        if bad := [file for file, kept in zip(files, good.tolist(), strict=True) if not kept]:
            raise UserError(
                f"{self.root}: a submission needs every picture; {some(bad, 3)} cannot be read: replace them"
            )
        self.submission = sample_of(self.root) if self.wanted_submission == "auto" else self.wanted_submission
        with suppress(UserError):  # a folder of pictures alone
            self.submission_names = ("id", table_of(self.root)[1])
        self.predict_files = [inside + file for file in files]
        self.predict_names = [Path(file).stem for file in files]
        return {"predict": (closed_up(images, good),)}

    def predict_picture(self, row: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
        """As of ``ImageFolder``; here a name is an id, not a file."""
        image, square = whole_picture(os.path.join(self.root, self.predict_files[row]))
        return image, square if self.crop else (0.0, 0.0, float(image.width), float(image.height))


class KaggleCIFAR10(KaggleFolder):
    """Kaggle's CIFAR-10, by default D2L's part of it with 1,000 labeled pictures, under ``DIVE_DATA``.

    Args:
        root: The folder; empty for ``kaggle_cifar10_tiny`` under ``DIVE_DATA``.
        num_classes, in_channels, image_size: Ten classes, in color, 32 pixels.
        **files: See ``KaggleFolder``.

    Raises:
        UserError: The folder is not there; the line says where it comes from.
    """

    def __init__(
        self, root: str = "", num_classes: int = 10, in_channels: int = 3, image_size: int = 32, **files: Any
    ) -> None:
        root = root or str(Path(data_root()) / "kaggle_cifar10_tiny")
        super().__init__(root, num_classes, in_channels, image_size, **files)

    @staticmethod
    def infer(
        root: str = "", num_classes: int = 0, in_channels: int = 0, image_size: int = 0, unlabeled: bool = False
    ) -> dict[str, int]:
        return {}  # they are known

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if not os.path.isdir(self.root):
            raise UserError(f"{self.root} is not there: unpack {ADDRESS} there, or give another --data.root")
        return super().load(stage)


def by_number(name: str) -> tuple[int, str]:
    """Sorts ids that are numbers as numbers, before all others."""
    return (int(name), "") if name.isdecimal() else (1 << 62, name)


def table_of(root: str) -> tuple[Path, str]:
    """The table of labels, and the heading of the classes.

    Raises:
        UserError: There is none, or it does not begin with two headings.
    """
    if not root:
        raise UserError("data.root is not given: --data.root DIR names the competition's folder")
    for name in TABLES:
        path = Path(root) / name
        if path.is_file():
            with path.open(newline="", encoding="utf-8-sig") as file:
                headings = next(csv.reader(file), [])
            if len(headings) != 2:
                raise UserError(f"{path} has the headings {headings}: two are needed, the id and the class")
            return path, headings[1]
    raise UserError(f"{root} has no {' or '.join(TABLES)}: give --data.root the folder with the table of labels")


def labeled(root: str) -> dict[str, list[str]]:
    """The pictures of each class, relative to ``root``; classes in alphabetical order, pictures by their number.

    Raises:
        UserError: An id has no picture in ``train``, or is in the table twice.
    """
    path, _ = table_of(root)
    pictures = {Path(file).stem: f"train/{file}" for file in find_images(os.path.join(root, "train"))}
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows: Sequence[list[str]] = [row for row in csv.reader(file) if row][1:]
    for name, label in sorted(rows, key=lambda row: by_number(row[0])):
        if name not in pictures:
            raise UserError(f"{path}: id {name} has no picture in {Path(root) / 'train'}: add it or remove the row")
        if name in seen:
            raise UserError(f"{path}: id {name} is there twice: remove one of the rows")
        seen.add(name)
        found.setdefault(label, []).append(pictures[name])
    if len(found) < 2:
        raise UserError(f"{path} has {len(found)} classes: at least two are needed")
    return dict(sorted(found.items()))


def sample_of(root: str) -> str:
    """What the competition's sample has of each picture: ``label``, or ``probabilities`` of more than two columns."""
    for name in SAMPLES:
        path = Path(root) / name
        if path.is_file():
            with path.open(newline="", encoding="utf-8-sig") as file:
                return "probabilities" if len(next(csv.reader(file), [])) > 2 else "label"
    return "label"
