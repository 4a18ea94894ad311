"""Classes named by their import path: the class itself, its arguments, the sizes that it declares to a model."""

import inspect
from importlib import import_module
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule


def arguments_of(class_path: str) -> list[str]:
    """Names of the arguments of a class, its parents' included where it passes ``**kwargs`` on."""
    names: list[str] = []
    for klass in import_class(class_path).__mro__:
        if klass in (LightningModule, LightningDataModule, object):
            break
        if "__init__" not in vars(klass):
            continue  # it has its parent's
        parameters = inspect.signature(klass.__init__).parameters.values()
        names += [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"
        ]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def links_of(class_path: str) -> tuple[str, ...]:
    """The names that a datamodule class declares to a model."""
    return tuple(getattr(import_class(class_path), "links", ()))


def import_class(class_path: str) -> Any:
    module, _, name = class_path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        return type(None)
