"""Finds the files of a folder with their class and split, by the names of sub-folders: images, or other files.

The layout is ``root/CLASS/**`` or ``root/{train,val,test}/CLASS/**``. Names that begin with a dot are left out.
"""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from common.messages import UserError, note
from datamodules.splits import split_fractions

SPLIT_OF = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
NO_PICTURES = {"BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF"}  # PIL knows their extensions but needs other programs
Splits = dict[str, dict[str, list[str]]]


def find_images(root: str) -> list[str]:
    """Image files under ``root`` by their extensions, at any depth, as sorted paths relative to it.

    Raises:
        UserError: There is no such folder.
    """
    if not root:
        raise UserError("data.root is not given: --data.root FOLDER names the folder of your images")
    if not os.path.isdir(root):
        raise UserError(f"no folder {root}: give --data.root the folder of your images")
    endings = {e for e, kind in Image.registered_extensions().items() if kind in Image.OPEN and kind not in NO_PICTURES}
    found = []
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if visible(name)]
        for name in files:
            if os.path.splitext(name)[1].lower() in endings and visible(name):
                found.append((Path(folder) / name).relative_to(root).as_posix())
    return sorted(found)


def visible(name: str) -> bool:
    return not name.startswith((".", "__MACOSX"))


def find_splits(root: str, find: Callable[[str], list[str]] = find_images, what: str = "images") -> Splits:
    """``{split: {class: files}}``, files relative to ``root``, all sorted; one split ``all`` without split folders.

    Args:
        root: The folder.
        find: Lists the files under a folder, as ``find_images`` does.
        what: The word for these files in messages.

    Raises:
        UserError: No class folders, a class folder without files, fewer than two classes.
    """
    files = find(root)
    if not files:
        raise UserError(f"{root} has no {what}: give --data.root another folder")
    tops = {file.split("/")[0] for file in files if file.count("/") > 1}
    folders = {top: SPLIT_OF[top.lower()] for top in sorted(tops) if top.lower() in SPLIT_OF}
    splits: Splits = {}
    left = []
    for file in files:
        parts = file.split("/")
        split = folders.get(parts[0]) if folders else "all"
        depth = 1 if folders else 0  # position of the class folder in the path
        if split is None or len(parts) < depth + 2:
            left.append(file)
        else:
            splits.setdefault(split, {}).setdefault(parts[depth], []).append(file)
    flat = [file for file in left if "/" in file and SPLIT_OF.get(file.split("/")[0].lower(), "") not in ("", *splits)]
    if flat:
        raise UserError(
            f"{root}: {flat[0]} is not in a class folder: move {flat[0].split('/')[0]} away and predict it by itself"
        )
    if not splits:
        raise UserError(f"{root}: no class folders; put its {what} into one sub-folder per class")
    if left:
        note(f"{root}: {len(left)} {what} outside of the class folders are not used, such as {left[0]}")
    _refuse_empty_classes(root, folders, splits, what)
    return splits


def _refuse_empty_classes(root: str, folders: dict[str, str], splits: Splits, what: str) -> None:
    for base in [top for top, split in folders.items() if split == "train"] if folders else [""]:
        for entry in sorted(os.scandir(os.path.join(root, base)), key=lambda e: e.name):
            split = "train" if folders else "all"
            if entry.is_dir() and visible(entry.name) and entry.name not in splits[split]:
                raise UserError(f"class folder {entry.path} has no {what}: remove it or fill it")
    names = class_names_of(splits)
    if len(names) < 2:
        inside = {file.split("/")[1] for file in splits.get("all", {}).get(names[0], []) if file.count("/") > 1}
        hint = f"; did you mean {os.path.join(root, names[0])}?" if len(inside) > 1 else ""
        raise UserError(f"{root}: one class folder, {names[0]!r}, but at least two classes are needed{hint}")


def class_names_of(splits: Splits) -> list[str]:
    """The sorted names of the training classes; of all where there is no train folder."""
    classes = splits.get("train") or splits.get("all") or {name: [] for split in splits.values() for name in split}
    return sorted(classes)


def label_files(
    root: str,
    splits: Splits,
    names: list[str],
    val_fraction: float,
    test_fraction: float,
    stage: str,
    what: str = "images",
) -> dict[str, tuple[list[str], Tensor]]:
    """The files and class numbers (N,) of the splits that ``stage`` needs, in the order of ``names``.

    A split without a folder of its own is taken from train, or from all, with the same fraction of every class.

    Raises:
        UserError: A split has a class that training does not have, a class has too few files, or a split is missing.
    """
    number = {name: i for i, name in enumerate(names)}
    known: dict[str, tuple[list[str], Tensor]] = {}
    for split, classes in splits.items():
        if new := sorted(classes.keys() - number.keys()):
            raise UserError(f"{root}: {split} has class {new[0]!r}, which the training {what} do not have")
        paths = [path for files in classes.values() for path in files]
        known[split] = paths, torch.tensor([number[c] for c, files in classes.items() for _ in files])
    if whole := known.pop("all", None) or known.pop("train", None):
        paths, y = whole
        val, test = (0.0 if s in known else share for s, share in (("val", val_fraction), ("test", test_fraction)))
        needed = 1 + (val > 0) + (test > 0)
        for label, count in enumerate(y.bincount().tolist()):
            if 0 < count < needed:
                raise UserError(
                    f"{root}: class {names[label]!r} has {count} {what}, too few to split: give it at least {needed}"
                )
        for split, rows in zip(("train", "val", "test"), split_fractions(y, val, test), strict=True):
            known.setdefault(split, ([paths[i] for i in rows.tolist()], y[rows]))
    wanted = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}[stage]
    for split in wanted:
        if split not in known:
            raise UserError(f"{root}: there is no {split} folder and no train folder to take it from")
    return {split: known[split] for split in wanted}
