"""Optimizers and schedules by their bare names, in YAML and on the command line: ``--model.lr_scheduler Cosine``.

jsonargparse finds a class by its bare name if only one class of the kind has it. ``ReduceLROnPlateau`` is two classes:
torch's, and Lightning's, which requires its metric. ``Task`` sets the metric (``lr_monitor``), so torch's is meant.
On the command line ``scripts/front/arguments.py`` inserts its full path.
"""

import inspect
import re
import sys
from typing import Any

from jsonargparse import get_loader, set_loader
from yaml import YAMLError

from common.messages import did_you_mean
from scripts.front.arguments import PLATEAU
from scripts.front.optimizer_names import PACKAGE
from scripts.front.optimizer_names import in_full as own_in_full


def take_plateau_by_name() -> None:
    """Makes the bare name ``ReduceLROnPlateau`` mean torch's, wherever jsonargparse reads YAML."""
    load = get_loader("yaml")
    if getattr(load, "knows_plateau", False):
        return

    def read(text: str) -> Any:
        return in_full(load(text))

    read.knows_plateau = True  # type: ignore[attr-defined]
    set_loader("yaml", read, (YAMLError,))


def in_full(value: Any) -> Any:
    """A value with the full path instead of the bare name."""
    if isinstance(value, dict):
        return {key: in_full(item) for key, item in value.items()}
    if isinstance(value, list):
        return [in_full(item) for item in value]
    if isinstance(value, str) and value.startswith(PACKAGE):
        return own_in_full(value)
    return PLATEAU if isinstance(value, str) and value == "ReduceLROnPlateau" else value


def explain_class(key: str, value: str) -> str:
    """What is wrong with ``value`` where an optimizer or a schedule was expected; empty if that is not known.

    Args:
        key: The option, such as ``model.lr_scheduler``.
        value: The parser's ``Namespace(class_path=..., init_args=...)``, or a name.
    """
    found = re.search(r"class_path='([\w.]+)\.(\w+)'", value)
    if found is None:
        nested = re.search(r"NestedArg\(key='\w+', val='(\w+)'", value)
        name = nested[1] if nested else value.strip("\"'")
        kinds = ("torch.optim.lr_scheduler", "lit_models.tasks.schedules", "torch.optim")
        known = {n for module in kinds for n, thing in vars(sys.modules[module]).items() if inspect.isclass(thing)}
        near = did_you_mean(name, known)
        return f"{key}: no class {name!r}{near}" if re.fullmatch(r"\w+", name) and near else ""
    klass = getattr(sys.modules.get(found[1]), found[2], None)
    parameters = list(inspect.signature(klass).parameters.values())[1:] if klass else []
    missing = [p.name for p in parameters if p.default is p.empty and re.search(rf"\b{p.name}=None", value)]
    if not missing:
        return ""
    return f"{key}: {found[2]} needs {' and '.join(missing)}: give --{key}.{missing[0]}"
