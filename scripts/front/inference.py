"""Sizes that come from files and not from the command: a datamodule's ``infer`` and ``decided_by_files``."""

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.messages import note
from scripts.front.arguments import load_yaml
from scripts.front.data_options import looks_at


def inferred(data: Any, given: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The empty arguments that ``infer`` of a datamodule's class fills.

    Args:
        data: The class.
        given: Its arguments so far. At predict time the run's config has the sizes already; they
            cannot be inferred from a folder without labels.
        names: Arguments that models take from the data.
    """
    infer = getattr(data, "infer", None)
    if infer is None:
        return {}
    wanted = inspect.signature(infer).parameters
    if not {name for name in wanted if name in names and not given.get(name)}:
        return {}
    values = infer(**{name: given.get(name) for name in wanted})
    return {name: value for name, value in values.items() if not given.get(name)}


def sizes_of_run(run: Path | None, data: Any, given: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The sizes of a run's data that a datamodule of another class takes too and that were not given: a folder of
    pictures without labels cannot say how many classes the model knows.

    Args:
        run: The run's folder; None if there is none.
        data: The class.
        given: Its arguments so far.
        names: Arguments that models take from the data.
    """
    if run is None or not (run / "config.yaml").is_file():
        return {}
    trained = load_yaml(run / "config.yaml").get("data") or {}
    saved = trained.get("init_args") or {}
    if looks_at(str(trained.get("class_path", "")), data.__name__):  # of a style, say: any number is right
        saved = {"num_classes": 1} | saved
    takes = inspect.signature(data.__init__).parameters
    return {name: saved[name] for name in names if name in takes and saved.get(name) and not given.get(name)}


def decided_by_files(data: Any, given: dict[str, Any], words: Iterable[str]) -> dict[str, Any]:
    """The arguments that a file decides (``decided_by_files`` of the class), even if a recipe sets them.

    Args:
        data: The class.
        given: Its arguments so far.
        words: The command line: what was typed there is kept.
    """
    decide = getattr(data, "decided_by_files", None)
    if decide is None:
        return {}
    typed = {word.split("=")[0].rpartition(".")[2] for word in words if word.startswith("--data.")}
    values = decide(**{name: given.get(name) for name in inspect.signature(decide).parameters})
    return {name: value for name, value in values.items() if name not in typed and given.get(name) != value}


def fitting(found: dict[str, Any], model: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Sizes that were found, with each that a network can take only in steps made the nearest such size.

    Args:
        found: What ``infer`` found.
        model: The model's class; ``multiples`` names the argument that a size must be a multiple of.
        given: The model's arguments.
    """
    fitted = dict(found)
    for name, argument in getattr(model, "multiples", {}).items():
        step, size = given.get(argument), found.get(name)
        if step and size and size % step:
            fitted[name] = max(1, round(size / step)) * step
            note(f"{name} is made {fitted[name]}, a multiple of model.{argument} {step} near the {size} of the files")
    return fitted
