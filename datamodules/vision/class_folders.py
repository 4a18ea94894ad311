"""Which images lie in a folder, of which class and split, told from names alone.

``root/CLASS/**`` or ``root/{train,val,test}/CLASS/**``. Folders and files whose names begin with a dot are left out.
"""

import os
from pathlib import Path

from PIL import Image

from datamodules.base import Mistake, note

SPLIT_OF = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
NO_PICTURES = {"BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF"}  # PIL knows their endings but needs other programs
Splits = dict[str, dict[str, list[str]]]


def find_images(root: str) -> list[str]:
    """Image files under ``root`` by their endings, at any depth, as sorted paths relative to it.

    Raises:
        Mistake: There is no such folder.
    """
    if not root:
        raise Mistake("which images? --data.root FOLDER")
    if not os.path.isdir(root):
        raise Mistake(f"no folder {root}: give --data.root the folder of your images")
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


def find_splits(root: str) -> Splits:
    """``{split: {class: files}}``, files relative to ``root``, all sorted; one split ``all`` without split folders.

    Raises:
        Mistake: No class folders, a class folder without images, fewer than two classes.
    """
    files = find_images(root)
    if not files:
        raise Mistake(f"{root}: no images there")
    tops = {file.split("/")[0] for file in files if file.count("/") > 1}
    folders = {top: SPLIT_OF[top.lower()] for top in sorted(tops) if top.lower() in SPLIT_OF}
    splits: Splits = {}
    left = []
    for file in files:
        parts = file.split("/")
        split = folders.get(parts[0]) if folders else "all"
        depth = 1 if folders else 0  # where the class folder's name stands
        if split is None or len(parts) < depth + 2:
            left.append(file)
        else:
            splits.setdefault(split, {}).setdefault(parts[depth], []).append(file)
    flat = [file for file in left if "/" in file and SPLIT_OF.get(file.split("/")[0].lower(), "") not in ("", *splits)]
    if flat:
        raise Mistake(
            f"{root}: {flat[0]} lies in no class folder: move {flat[0].split('/')[0]} away and predict it alone"
        )
    if not splits:
        raise Mistake(f"{root}: no class folders; its images must lie in one sub-folder a class")
    if left:
        note(f"{root}: {len(left)} images outside of the class folders are not used, such as {left[0]}")
    _refuse_empty_classes(root, folders, splits)
    return splits


def _refuse_empty_classes(root: str, folders: dict[str, str], splits: Splits) -> None:
    for base in [top for top, split in folders.items() if split == "train"] if folders else [""]:
        for entry in sorted(os.scandir(os.path.join(root, base)), key=lambda e: e.name):
            split = "train" if folders else "all"
            if entry.is_dir() and visible(entry.name) and entry.name not in splits[split]:
                raise Mistake(f"class folder {entry.path} has no images: remove it or fill it")
    names = class_names_of(splits)
    if len(names) < 2:
        inside = {file.split("/")[1] for file in splits.get("all", {}).get(names[0], []) if file.count("/") > 1}
        hint = f"; is it {os.path.join(root, names[0])} that you mean?" if len(inside) > 1 else ""
        raise Mistake(f"{root}: one class folder, {names[0]!r}, but at least two classes are needed{hint}")


def class_names_of(splits: Splits) -> list[str]:
    """The sorted names of the training classes; of all where there is no train folder."""
    classes = splits.get("train") or splits.get("all") or {name: [] for split in splits.values() for name in split}
    return sorted(classes)
