"""Finds the files of a folder with their class and split, by the names of sub-folders: images, or other files.

The layout is ``root/CLASS/**`` or ``root/{train,val,test}/CLASS/**``. Names that begin with a dot are left out.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from common.messages import UserError, note
from common.pictures import register_heif
from datamodules.reading import some
from datamodules.run_file import KnowsItsFile
from datamodules.splits import split_fractions

SPLIT_OF = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
NO_PICTURES = {"BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF"}  # PIL knows their extensions but needs other programs
SIDE_FILES = {
    *(
        ".txt",
        ".csv",
        ".tsv",
        ".json",
        ".jsonl",
        ".xml",
        ".yaml",
        ".yml",
        ".md",
        ".html",
        ".htm",
        ".ini",
        ".log",
        ".db",
    ),
    *(".py", ".sh", ".ipynb", ".npy", ".npz", ".pt", ".pth", ".pkl", ".mat", ".xmp", ".aae", ".lnk", ".sha256", ".md5"),
}
HEIF = "`pip install pillow-heif` lets them be read"
CONVERT = {
    "images": "save them as JPEG or PNG",
    "sounds": "save them as WAV, FLAC or MP3",
    "videos": "save them as MP4, GIF or .npy, or as folders of numbered images",
}
REMEDIES = {".heic": HEIF, ".heif": HEIF, ".hif": HEIF, ".avif": "a newer Pillow reads them: `pip install -U pillow`"}
MOST_NAMES = 5
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
    return find_files(root, image_endings())


def image_endings() -> set[str]:
    """The extensions that PIL reads, with those of ``pillow_heif`` where it is installed."""
    register_heif()
    return {e for e, kind in Image.registered_extensions().items() if kind in Image.OPEN and kind not in NO_PICTURES}


def find_files(root: str, endings: set[str] | None = None) -> list[str]:
    """Visible files under ``root`` with these extensions, or all; at any depth, as sorted paths relative to it."""
    found = []
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if visible(name)]
        for name in files:
            if visible(name) and (endings is None or os.path.splitext(name)[1].lower() in endings):
                found.append((Path(folder) / name).relative_to(root).as_posix())
    return sorted(found)


def other_files(root: str, used: Sequence[str]) -> list[str]:
    """Files under ``root`` that are not used, without notes, tables and what programs put beside pictures."""
    known = set(used)
    return [f for f in find_files(root) if f not in known and os.path.splitext(f)[1].lower() not in SIDE_FILES]


def say_others(others: Sequence[str], what: str) -> str:
    """``30 files cannot be read as images (.heic 30): bee/IMG_0.HEIC, ...; pip install pillow-heif``."""
    kinds = Counter(os.path.splitext(file)[1].lower() or "no ending" for file in others)
    named = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common(MOST_NAMES))
    remedies = "; ".join(dict.fromkeys(REMEDIES.get(kind, CONVERT[what]) for kind in kinds))
    files = f"{len(others):,} files" if len(others) != 1 else "1 file"
    return f"{files} cannot be read as {what} ({named}), such as {some(others, 3)}: {remedies}"


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
        others = other_files(root, files)
        why = f": {say_others(others, what)}" if others else ": give --data.root another folder"
        raise UserError(f"{root} has no {what}{why}")
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
        remedy = " (or give --data.unlabeled true to a model that reads no classes)" if what == "images" else ""
        raise UserError(f"{root}: no class folders; put its {what} into one sub-folder per class{remedy}")
    if left:
        note(f"{root}: {len(left)} {what} outside of the class folders are not used, such as {left[0]}")
    _refuse_empty_classes(root, folders, splits, what)
    return splits


def _refuse_empty_classes(root: str, folders: dict[str, str], splits: Splits, what: str) -> None:
    for base in [top for top, split in folders.items() if split == "train"] if folders else [""]:
        for entry in sorted(os.scandir(os.path.join(root, base)), key=lambda e: e.name):
            split = "train" if folders else "all"
            if entry.is_dir() and visible(entry.name) and entry.name not in splits[split]:
                others = other_files(entry.path, [])
                why = say_others(others, what) if others else "remove it or fill it"
                raise UserError(f"class folder {entry.path} has no {what}: {why}")
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


def all_files(
    root: str, splits: Splits, names: list[str], what: str = "images", split: str = "test"
) -> tuple[list[str], Tensor]:
    """All labeled files of a folder (of its folder ``split``, where it has one) and their class numbers (N,).

    Raises:
        UserError: It has a class that training does not have.
    """
    parts = [splits[split]] if split in splits else list(splits.values())
    if new := sorted({name for classes in parts for name in classes} - set(names)):
        raise UserError(f"{root} has class {new[0]!r}, which the training {what} do not have")
    pairs = [(file, names.index(name)) for classes in parts for name, files in classes.items() for file in files]
    return [file for file, _ in pairs], torch.tensor([number for _, number in pairs])


def with_classes(splits: Splits) -> Iterable[tuple[str, str]]:
    """The class and the name of each file of a folder."""
    return ((name, file) for classes in splits.values() for name, files in classes.items() for file in files)


def identity_of_folder(root: str, files: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What a run keeps of a folder, to know it again: its place, and SHA-256 of labels, names and sizes of its files.

    A folder among the files, such as one of the frames of a video, counts with all that is in it.

    Args:
        root: The folder.
        files: The label of each file (its class, its text, or nothing), and its path relative to ``root``.
    """
    digest = hashlib.sha256()
    for name, file in sorted(files):
        path = os.path.join(root, file)
        for part in [os.path.join(path, inner) for inner in find_files(path)] if os.path.isdir(path) else [path]:
            size = os.path.getsize(part) if os.path.exists(part) else -1  # a link that leads nowhere
            said = f"{name} {os.path.relpath(part, root)} {size}\n"
            digest.update(said.encode(errors="surrogateescape"))
    return {"path": os.path.realpath(root), "sha256": digest.hexdigest()}


class KnowsItsFolder(KnowsItsFile):
    """For a datamodule of one's own folder: another one than the run's is tested whole, one that changed is refused.

    A subclass for a data set of the project has an empty ``own_path``: its folder is not known again.
    """

    option, decides = "root", "names or sizes of its files"
    root: str
    own_path: str

    def is_another_folder(self, stage: str, files: Iterable[tuple[str, str]], part: str = "") -> bool:
        """Whether a stage evaluates another folder than the run's.

        Args:
            stage: Of Lightning.
            files: As for ``identity_of_folder``.
            part: What of the folder the stage evaluates where its split is not drawn; empty: it is drawn.

        Raises:
            UserError: The run's folder changed, and its split is drawn.
        """
        if not self.own_path:
            return False
        return self.differs(stage, self.root, lambda: identity_of_folder(self.root, files), part=part)


class KnowsItsClassFolder(KnowsItsFolder):
    """For a datamodule of one's own class folders."""

    class_names: list[str] | None
    val_fraction: float
    test_fraction: float
    #: Whether the splits that ``find_splits`` finds are folders; else they are drawn from all files.
    folders_are_splits = True

    def label_files(self, stage: str, splits: Splits, what: str = "images") -> dict[str, tuple[list[str], Tensor]]:
        """``label_files`` of the run's folder; of another one all files, or those of its own test or val folder.

        Raises:
            UserError: As ``label_files``, or the run's folder changed, and its split is drawn.
        """
        names = self.class_names or class_names_of(splits)
        split = "test" if stage == "test" else "val"
        part = f"its {split} folder" if self.folders_are_splits and split in splits else ""
        if self.is_another_folder(stage, with_classes(splits), part):
            return {split: all_files(self.root, splits, names, what, split if part else "")}
        return label_files(self.root, splits, names, self.val_fraction, self.test_fraction, stage, what)
