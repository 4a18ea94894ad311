"""``--data.root DIR`` without ``--data``: which datamodules have this option."""

import ast
from functools import cache
from pathlib import Path

from scripts.front.recipes import CONFIGS
from scripts.front.runs import data_of, runs_of

USUAL = {
    "linear": "tabular",
    "mlp": "tabular",
    "text": "text",
    "cnn": "vision",
    "audio": "audio",
    "recommender": "ratings",
}  # of a topic's recipes


@cache
def classes_with(option: str, folder: Path = CONFIGS.parent / "datamodules") -> tuple[tuple[str, str], ...]:
    """The datamodules of a person's own files that have ``option`` with an empty default: the name of each
    and its modality, such as ``vision``.
    """
    return tuple(
        (klass.name, path.parent.name)
        for path in sorted(folder.rglob("*.py"))
        for klass in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(klass, ast.ClassDef) and option in empty_options(klass)
    )


def empty_options(klass: ast.ClassDef) -> list[str]:
    """The arguments of a class's constructor whose default is an empty text."""
    for function in klass.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            named = function.args.args[len(function.args.args) - len(function.args.defaults) :]
            pairs = zip(named, function.args.defaults, strict=True)
            return [a.arg for a, default in pairs if isinstance(default, ast.Constant) and default.value == ""]
    return []


@cache
def bases(folder: Path = CONFIGS.parent / "datamodules") -> dict[str, tuple[str, ...]]:
    """The names of the bases of each class; the files are read and not imported."""
    return {
        klass.name: tuple(base.id for base in klass.bases if isinstance(base, ast.Name))
        for path in folder.rglob("*.py")
        for klass in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(klass, ast.ClassDef)
    }


def distance(klass: str, ancestor: str) -> int:
    """How many classes lie between a class and one that it inherits from; a large number if it does not."""
    if klass == ancestor:
        return 0
    return min((1 + distance(base, ancestor) for base in bases().get(klass, ())), default=99)


def ancestors(klass: str) -> list[str]:
    """The bases of a class, theirs, and so on, the nearest first."""
    found = list(bases().get(klass, ()))
    for base in found:
        found += [further for further in bases().get(base, ()) if further not in found]
    return found


def of_the_same_kind(kinds: list[str], data: str) -> list[str]:
    """Those classes that share the nearest base with the data in use: images with boxes for images with boxes."""
    for base in ancestors(data):
        near = {kind: distance(kind, base) for kind in kinds if distance(kind, base) < 99}
        if near:
            return [kind for kind in kinds if near.get(kind) == min(near.values())]
    return kinds


#: Data that models of other data predict on: pictures without targets, for those trained on boxes, masks or a style;
#: folders of sounds, for those trained on any sounds with transcripts; files of texts, for those trained on documents.
ALSO_OF = {
    "ImageFolder": ("ObjectImages", "MaskImages", "PhotoTextures"),
    "LargePictures": ("ObjectImages",),
    "SpeechFolder": ("Transcribed",),
    "SummaryFile": ("CopyText",),
    "ExtractFile": ("ExtractRows",),
}


def looks_at(trained: str, data: str) -> bool:
    """Whether a model of the data ``trained`` can predict on ``data``, on which it could not have been trained."""
    name = trained.rpartition(".")[2]
    return any(distance(name, base) < 99 for base in ALSO_OF.get(data.rpartition(".")[2], ()))


def explain_option(option: str, data: str, run: Path | None, recipe: str) -> str:
    """The error line for ``--data.OPTION`` that the data in use does not have; empty if no other data has it.

    Args:
        option: Such as ``root``.
        data: The class path of the data in use.
        run: The run that is tested or predicted with; None in a fit.
        recipe: Its recipe, of which there may be other runs.
    """
    known = classes_with(option)
    if not known:
        return ""
    kinds = [kind for kind, modality in known if modality in data.split(".")] or [kind for kind, _ in known]
    usual = [kind for kind, modality in known if modality == USUAL.get(recipe.split("/")[0])]
    kinds = list(dict.fromkeys([*usual, *kinds]))
    name = data.rpartition(".")[2]
    kinds = of_the_same_kind(kinds, name)
    if run is not None:
        others = [r for r in reversed(runs_of(recipe)) if data_of(r).class_path.rpartition(".")[2] in dict(known)]
        which = f"{others[0]} was trained on {data_of(others[0])}, give --run {others[0]}" if others else ""
        looking = [kind for kind, _ in known if looks_at(name, kind)]
        if looking and not which:
            which = f"give --data {looking[0]} first to predict without targets; --run DIR names another run"
        return f"{run} was trained on {name}, which has no {option}: {which or '--run DIR names another run'}"
    more = f" (or {', '.join(kinds[1:])})" if kinds[1:] else ""
    return f"data.{option} is not an option of {name}, the data of the recipe: give --data {kinds[0]}{more} first"
