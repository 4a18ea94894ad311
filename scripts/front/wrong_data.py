"""One-line errors for data that the model cannot read: what the model takes, what the data gives, the remedy.

Nothing is checked before a step fails, since a model may work with data that was not foreseen. When the first step
fails, the model's ``example_input`` is compared with one batch.
"""

import inspect
import re
import sys
from typing import Any

from torch import Tensor

from common.messages import UserError
from scripts.front.classes import import_class
from scripts.front.failures import explain_failure


def refuse_missing_sizes(model: Any, data: Any, links: list[str]) -> None:
    """Refuses a model that needs a size which the data does not have, or classes of data that was said to have none.

    Args:
        model, data: Parsed, with ``class_path`` and ``init_args``; nothing is refused where one is missing.
        links: The sizes that data may have.

    Raises:
        UserError: Names the size and a recipe for the data, or the argument.
    """
    if not model or not data:
        return
    from lit_models.tasks.classifier import Classifier

    given, klass = dict(model.get("init_args") or {}), import_class(model.class_path)
    if dict(data.get("init_args") or {}).get("unlabeled") and isinstance(klass, type) and issubclass(klass, Classifier):
        raise UserError(
            f"{klass.__name__} learns classes, and data.unlabeled leaves none: put the images into one sub-folder per "
            "class"
        )
    for name, parameter in parameters_of(klass).items():
        if name in links and parameter.default is parameter.empty and given.get(name, 0) is None:
            kind = data.class_path.rpartition(".")[2]
            raise UserError(
                f"{model.class_path.rpartition('.')[2]} needs {name}, which {kind} does not say: it is data of another "
                f"kind{recipe_for(import_class(data.class_path))}"
            )


def parameters_of(klass: Any) -> dict[str, inspect.Parameter]:
    """The parameters of a class by name, those of its parents too; the nearest class has priority."""
    found: dict[str, inspect.Parameter] = {}
    for one in getattr(klass, "__mro__", ()):
        if "__init__" in vars(one):
            found = {**inspect.signature(one.__init__).parameters, **found}
    return found


def explain_wrong_data(error: BaseException, trainer: Any, swapped: bool) -> UserError | None:
    """The one line for a first step that failed because the data is not of the model's kind; None for any other error.

    Args:
        error: What was raised.
        trainer: Of the command, None if it was not made.
        swapped: Whether other data than the recipe's was asked for.
    """
    model, data = getattr(trainer, "lightning_module", None), getattr(trainer, "datamodule", None)
    if getattr(error, "exit_code", None) is not None or explain_failure(error) or not isinstance(error, Exception):
        return None
    if model is None or not hasattr(data, "transform") or trainer.global_step:
        return None
    try:
        batch = first_batch(data)
        example = getattr(model, "example_input", None)
    except Exception:  # the data itself fails: its own error is the one to show
        return None
    if batch is None or not (swapped or (example is not None and differs(example, batch))):
        return None
    takes = "" if example is None else f" takes {describe(as_tuple(example))}"
    name, kind = type(model).__name__, type(data).__name__
    why = "" if example is not None and differs(example, batch) else f" ({' '.join(str(error).split())[:120]})"
    return UserError(
        f"{name}{takes}, {kind} gives {describe(batch)}{why}: data of another kind{recipe_for(type(data))}"
    )


def first_batch(data: Any) -> tuple[Tensor, ...] | None:
    """A batch as the model receives it, from the first split that was loaded."""
    loaders = {"train": "train_dataloader", "val": "val_dataloader", "test": "test_dataloader"}
    name = next((loader for split, loader in loaders.items() if split in getattr(data, "splits", {})), None)
    if name is None:
        return None
    batch = data.transform(tuple(next(iter(getattr(data, name)()))))
    return tuple(part for part in batch if isinstance(part, Tensor))


def as_tuple(example: Any) -> tuple[Tensor, ...]:
    return tuple(example) if isinstance(example, list | tuple) else (example,)


def differs(example: Any, batch: tuple[Tensor, ...]) -> bool:
    """Whether a batch cannot be what a model takes: fewer tensors, or another number of axes, size or kind of number.
    Lengths of texts may differ.
    """
    inputs = as_tuple(example)
    if len(batch) < len(inputs):
        return True
    for one, other in zip(inputs, batch, strict=False):
        if one.ndim != other.ndim or one.is_floating_point() != other.is_floating_point():
            return True
        if one.is_floating_point() and one.shape[1:] != other.shape[1:]:
            return True
    return False


def describe(tensors: tuple[Tensor, ...]) -> str:
    """``float (B, 1, 28, 28) and int (B)``."""
    kinds = ["float" if tensor.is_floating_point() else "int" for tensor in tensors]
    shapes = [", ".join(["B", *map(str, tensor.shape[1:])]) for tensor in tensors]
    return " and ".join(f"{kind} ({shape})" for kind, shape in zip(kinds, shapes, strict=True))


def recipe_for(data: type) -> str:
    """``: try RECIPE``, where the datamodule's file names a recipe for it."""
    said = getattr(sys.modules.get(data.__module__), "__doc__", None) or ""
    found = re.search(rf"dive fit (\S+) --data {data.__name__}\b", said)
    return f": try {found[1]}" if found else ""
