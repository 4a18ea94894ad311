"""The space of a search, a YAML file: which keys of a recipe are searched, and where; what is better; how long.

    metric: val/acc          # what `dive fit` logs of the validation split
    mode: max
    min_epochs: 3            # the first rung of schedulers that stop early
    max_epochs: 27           # the whole training
    eta: 3                   # one of so many survives a rung
    second: parameters       # optional: to be low as well, ``parameters`` (their number) or ``seconds`` (of training)
    parameters:
      model.optimizer.lr: {low: 0.0003, high: 0.1, log: true}
      data.batch_size: {low: 16, high: 256, log: true}        # whole numbers: an integer
      model.activation: {choices: [sigmoid, tanh, relu]}
      model.label_smoothing: {low: 0.0, high: 0.2, step: 0.05}
      model.optimizer.momentum: {low: 0.0, high: 0.95, when: {model.optimizer: torch.optim.SGD}}

A key is an option of `dive fit`. With ``when``, a parameter exists only where another one has that value, or one of a
list of values; the other one is named first. ``configs/tune/<topic>/<model>.yaml`` is the space of a recipe.
"""

import json
import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from common.messages import UserError, did_you_mean, note
from scripts.front.recipes import CONFIGS

KEYS = ("metric", "mode", "min_epochs", "max_epochs", "eta", "second", "parameters")
SECONDS = ("parameters", "seconds")  # what a second objective may be
FACTS = ("low", "high", "log", "step", "choices", "when")


@dataclass
class Space:
    """A checked space.

    Args:
        metric: Name of what is optimized, of the validation split.
        mode: ``min`` or ``max``.
        min_epochs, max_epochs, eta: See ``rungs``.
        second: A second objective, the lower the better, one of ``SECONDS``; empty without one.
        parameters: Distribution by key, in the file's order.
        conditions: Key -> (other key, its values) of conditional parameters.
    """

    metric: str
    mode: str
    max_epochs: int
    min_epochs: int = 1
    eta: int = 3
    second: str = ""
    parameters: dict[str, BaseDistribution] = field(default_factory=dict)
    conditions: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    @property
    def sign(self) -> float:
        """Times a value of the metric: the lower the better."""
        return -1.0 if self.mode == "max" else 1.0

    def active(self, key: str, chosen: dict[str, Any]) -> bool:
        """Whether a parameter exists beside those that were chosen before it."""
        return all(chosen.get(other) in values for other, values in self.conditions.get(key, {}).items())

    def text(self) -> str:
        """All that two searches must have in common to be one study."""
        from optuna.distributions import distribution_to_json

        parts = {key: json.loads(distribution_to_json(d)) for key, d in self.parameters.items()}
        facts = {name: getattr(self, name) for name in KEYS[:-1] if name != "second" or self.second}
        order = list(self.parameters)
        return json.dumps(facts | {"parameters": parts, "conditions": self.conditions, "order": order}, sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> "Space":
        """The space of a ``text``."""
        from optuna.distributions import json_to_distribution

        facts = json.loads(text)
        parts = facts.pop("parameters")
        order = facts.pop("order", list(parts))
        return cls(**facts, parameters={key: json_to_distribution(json.dumps(parts[key])) for key in order})


def says_difference(key: str, known: str, value: str) -> str:
    """How the stored study differs from this command, in some words."""
    if key != "space":
        return f"has {key} {known}, not {value}"
    one, other = json.loads(known), json.loads(value)
    for part in ("parameters", "conditions"):
        one |= {f"{part} {name}": d for name, d in one.pop(part).items()}
        other |= {f"{part} {name}": d for name, d in other.pop(part).items()}
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return f"is of another space ({', '.join(names).replace('parameters ', '')})"


def find_space(recipe: str, path: str | None) -> Path:
    """The file of ``--space``, by default the one that ships for the recipe.

    Raises:
        UserError: There is none.
    """
    found = Path(path) if path else CONFIGS / "tune" / f"{recipe}.yaml"
    if path and not found.is_file() and (CONFIGS / "tune" / f"{path}.yaml").is_file():
        found = CONFIGS / "tune" / f"{path}.yaml"
    if not found.is_file():
        shipped = sorted(p.relative_to(CONFIGS / "tune").with_suffix("").as_posix() for p in spaces())
        reason = did_you_mean(path or recipe, shipped) or f": there are {', '.join(shipped)}"
        raise UserError(f"no space {path or 'ships for ' + recipe}{reason}; --space FILE names one of your own")
    return found


def spaces() -> list[Path]:
    """The spaces that ship."""
    return sorted((CONFIGS / "tune").glob("*/*.yaml"))


def read_space(path: Path) -> Space:
    """Reads and checks a space.

    Raises:
        UserError: The file is not YAML, has unknown keys, an empty or inverted range, a logarithm of zero, ...
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} is not a space: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(content, dict) or not isinstance(content.get("parameters"), dict) or not content["parameters"]:
        raise UserError(f"{path} has no parameters: it needs metric, mode, max_epochs and parameters")
    refuse_unknown(path, "", content, KEYS)
    for key in ("metric", "mode", "max_epochs"):
        if key not in content:
            raise UserError(f"{path} has no {key}: it needs metric, mode, max_epochs and parameters")
    if content["mode"] not in ("min", "max"):
        raise UserError(f"{path}: mode is {content['mode']!r}: give min or max")
    if not str(content["metric"]).startswith(("val/", "time/")):
        raise UserError(f"{path}: metric is {content['metric']}: choose by the validation split, such as val/loss")
    if content.get("second", "") not in ("", *SECONDS):
        raise UserError(f"{path}: second is {content['second']!r}: give one of {', '.join(SECONDS)}")
    space = Space(**{key: content[key] for key in KEYS if key in content and key != "parameters"})
    check_epochs(path, space)
    for key, facts in content["parameters"].items():
        if not isinstance(facts, dict):
            raise UserError(f"{path}: {key} is {facts!r}: give {{low: ..., high: ...}} or {{choices: [...]}}")
        refuse_unknown(path, f"{key}: ", facts, FACTS)
        add_condition(path, space, key, facts.get("when"))
        space.parameters[key] = distribution(f"{path}: {key}", facts)
    return space


def check_epochs(path: Path, space: Space) -> None:
    whole = all(isinstance(n, int) for n in (space.min_epochs, space.max_epochs, space.eta))
    if not whole or not 1 <= space.min_epochs <= space.max_epochs or space.eta < 2:
        raise UserError(
            f"{path}: min_epochs {space.min_epochs}, max_epochs {space.max_epochs}, eta {space.eta}: give whole "
            "numbers, 1 <= min_epochs <= max_epochs, eta at least 2"
        )


def refuse_unknown(path: Path, where: str, content: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in content:
        if key not in known:
            raise UserError(f"{path}: {where}unknown key {key!r}{did_you_mean(str(key), known) or f': {known}'}")


def add_condition(path: Path, space: Space, key: str, when: Any) -> None:
    """Keeps the condition of a parameter, whose others must have been named before.

    Raises:
        UserError: They have not.
    """
    if when is None:
        return
    if not isinstance(when, dict):
        raise UserError(f"{path}: {key}: when is {when!r}: give {{OTHER KEY: VALUE}}")
    for other in when:
        if other not in space.parameters:
            near = did_you_mean(str(other), space.parameters) or ""
            raise UserError(f"{path}: {key}: when names {other!r}, which is not a parameter above it{near}")
        values, there = when[other], space.parameters[other]
        for value in values if isinstance(values, list) else [values]:
            if isinstance(there, CategoricalDistribution) and value not in there.choices:
                near = did_you_mean(str(value), map(str, there.choices)) or f": it is one of {list(there.choices)}"
                raise UserError(f"{path}: {key}: when names {other}: {value}, which is never chosen{near}")
    space.conditions[key] = {k: v if isinstance(v, list) else [v] for k, v in when.items()}


def distribution(where: str, facts: dict[str, Any]) -> BaseDistribution:
    """A parameter's distribution.

    Raises:
        UserError: The range is empty or inverted, has a logarithm of zero, or is not numbers.
    """
    if "choices" in facts:
        if not isinstance(facts["choices"], list) or not facts["choices"]:
            raise UserError(f"{where}: choices is {facts['choices']!r}: give a list")
        if {"low", "high", "log", "step"} & facts.keys():
            raise UserError(f"{where} has choices and a range: give one of the two")
        plain = [c if isinstance(c, str | int | float | bool | None) else json.dumps(c) for c in facts["choices"]]
        if len(set(map(repr, plain))) < len(plain):
            raise UserError(f"{where}: choices has a value twice: leave one out")
        return CategoricalDistribution(plain)
    if not {"low", "high"} <= facts.keys():
        raise UserError(f"{where}: give {{low: ..., high: ...}} or {{choices: [...]}}")
    low, high, log, step = facts["low"], facts["high"], facts.get("log", False), facts.get("step")
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            hint = " (YAML reads 1e-3 as a text: write 1.0e-3)" if isinstance(value, str) else ""
            raise UserError(f"{where}: {name} is {value!r}, not a number{hint}")
    if not isinstance(log, bool):
        raise UserError(f"{where}: log is {log!r}: give true or false")
    if low >= high:
        raise UserError(f"{where}: the range from {low} to {high} is {'empty' if low == high else 'inverted'}")
    if log and low <= 0:
        raise UserError(f"{where}: low is {low}, and there is no logarithm of it: begin above zero, or leave log out")
    if log and step is not None:
        raise UserError(f"{where} has log and step: give one of the two")
    whole = isinstance(low, int) and isinstance(high, int)
    number = int if whole else int | float
    if step is not None and (isinstance(step, bool) or not isinstance(step, number) or not 0 < step <= high - low):
        kind = "whole number" if whole else "number"
        raise UserError(f"{where}: step is {step!r}: give a {kind} above 0, at most high - low = {high - low:g}")
    with warnings.catch_warnings():  # Optuna's own names no parameter
        warnings.simplefilter("ignore")
        found = (
            IntDistribution(low, high, log=log, step=step or 1)
            if whole
            else FloatDistribution(float(low), float(high), log=log, step=step)
        )
    if found.high != high:
        note(f"{where}: high is {high}, which steps of {step} from {low} do not reach: {found.high:g} is the last")
    return found


def words_of(params: dict[str, Any]) -> list[str]:
    """A configuration as options of ``dive fit``; classes come first, since their own arguments depend on them."""
    order = sorted(params, key=lambda key: key.count("."))
    return [word for key in order for word in (f"--{key}", text_of(params[key]))]


def text_of(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return repr(value) if isinstance(value, float) else str(value)
