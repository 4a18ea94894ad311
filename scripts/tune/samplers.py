"""Where the next configuration of a search comes from: a grid, chance, or a model of the trials so far.

Optuna has the samplers; the grid is written out, since Optuna's keeps its points in the study, and ``own_gp`` is the
project's Gaussian process (``lit_models/gp/bayesian_optimization.py``), in the unit cube of the space's own scales.

A sampler is asked in a study in memory, made of the trials so far: in the stored study those that pause at a rung are
running, and samplers ignore what is running. TPE gets them as pruned ones, which it knows to rank. The others use only
complete ones, and get all trials that have reached the last epoch that enough have reached, with their values there.
So nothing of a sampler has to be kept; each draw is seeded by its number.
"""

import itertools
import math
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from common.messages import UserError
from scripts.tune import cma_es, pareto
from scripts.tune.space import Space

NAMES = ("random", "grid", "qmc", "tpe", "cmaes", "gp", "own_gp")
optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line for each study in memory
MOST_POINTS = 100_000  # of a grid: more would take years
STARTUP = 10  # random draws before a model is asked; Optuna's default of TPE and GP


def check_sampler(name: str, space: Space) -> None:
    """Raises a UserError where a sampler cannot draw from a space, or its package is missing."""
    if name == "cmaes" and find_spec("cmaes") is None:
        raise UserError("--sampler cmaes needs the package cmaes: pip install cmaes")
    if name == "grid":
        grid(space)
    if name in ("own_gp", "cmaes") and space.conditions:
        raise UserError(f"--sampler {name} takes no conditional parameters: take tpe, or leave `when` out of the space")


def grid(space: Space) -> list[dict[str, Any]]:
    """All points of a space of choices, whole numbers and steps, conditional parameters where they exist.

    Raises:
        UserError: A range has no steps, or there are too many points.
    """
    axes = {key: points(key, d) for key, d in space.parameters.items()}
    if (size := math.prod(map(len, axes.values()))) > MOST_POINTS:
        raise UserError(f"--sampler grid: the space has {size:,} points: give larger steps, or another sampler")
    found: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*axes.values()):
        chosen: dict[str, Any] = {}
        for key, value in zip(axes, values, strict=True):
            if space.active(key, chosen):
                chosen[key] = value
        found[repr(chosen)] = chosen
    return list(found.values())


def points(key: str, d: BaseDistribution) -> Sequence[Any]:
    """The values of one axis of a grid."""
    if isinstance(d, CategoricalDistribution):
        return list(d.choices)
    if isinstance(d, IntDistribution) and not d.log:
        return range(d.low, d.high + 1, d.step)
    if isinstance(d, FloatDistribution) and d.step:
        count = round((d.high - d.low) / d.step) + 1
        return [min(d.low + k * d.step, d.high) for k in range(count)]  # 3 * 0.1 is above 0.3
    raise UserError(f"--sampler grid: {key} is a range without steps: give `choices:` or `step:`, or another sampler")


def make(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's sampler of a name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match name:
            case "tpe":
                return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, group=True)
            case "gp":
                return optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP)
            case _:
                return optuna.samplers.RandomSampler(seed=seed)


def propose(name: str, space: Space, trials: Sequence[FrozenTrial], draw: int, seed: int) -> dict[str, Any]:
    """The configuration of draw number ``draw``.

    Args:
        name: One of ``NAMES``.
        space: What is searched.
        trials: The trials so far; ``value`` or intermediate values are in the metric's own direction.
        draw: Its number in the study.
        seed: Of the search.

    Raises:
        UserError: The grid has no more points.
    """
    if name == "grid":
        every = grid(space)
        if draw >= len(every):
            raise UserError(f"the grid has {len(every)} points: --trials {len(every)} at most")
        return every[draw]
    if name == "qmc":
        from scipy.stats import qmc

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that fewer than 2^k points are not balanced
            unit = qmc.Sobol(len(space.parameters), seed=seed).random(draw + 1)[-1]
        return from_unit(space, unit)
    if name == "own_gp":
        return own_gp(space, trials, draw, seed)
    curves = [trial.intermediate_values for trial in trials]
    if name == "cmaes":
        level = level_of(curves, min(STARTUP, max(len(curves) // 3, 2)))  # missing ones count as the worst
        places: dict[int, Sequence[float]] = {
            trial.user_attrs["draw"]: to_unit(space, trial.params) for trial in trials
        }
        return from_unit(space, cma_es.place(space, places, cma_es.history(trials, level, space.sign), draw, seed))
    level = 0 if name == "tpe" else level_of(curves)
    directions: list[Any] = ["maximize" if space.mode == "max" else "minimize", "minimize"][: 2 if space.second else 1]
    study = optuna.create_study(directions=directions, sampler=make(name, seed * 100_003 + draw))
    if space.second:
        study.add_trials([two_values(*pair) for pair in pareto.pairs(space, trials)])
    else:
        study.add_trials([known for trial in trials if (known := as_finished(trial, level)) is not None])
    trial = study.ask()
    chosen: dict[str, Any] = {}
    for key, d in space.parameters.items():
        if space.active(key, chosen):
            chosen[key] = suggest_by(trial, key, d)
    return chosen


def suggest_by(trial: optuna.Trial, key: str, d: BaseDistribution) -> Any:
    """A value of a distribution by Optuna's method for it."""
    if isinstance(d, CategoricalDistribution):
        return trial.suggest_categorical(key, d.choices)
    if isinstance(d, IntDistribution):
        return trial.suggest_int(key, d.low, d.high, step=d.step, log=d.log)
    assert isinstance(d, FloatDistribution)
    return trial.suggest_float(key, d.low, d.high, step=d.step, log=d.log)


def two_values(trial: FrozenTrial, value: float, second: float) -> FrozenTrial:
    """A trial for a sampler of two objectives."""
    return create_trial(values=[value, second], params=trial.params, distributions=trial.distributions)


def level_of(curves: Sequence[dict[int, float]], least: int = STARTUP) -> int:
    """The last epoch that ``least`` trials have reached, or 0: values of different epochs are not of one function."""
    epochs = sorted({epoch for curve in curves for epoch in curve}, reverse=True)
    return next((epoch for epoch in epochs if sum(epoch in curve for curve in curves) >= least), 0)


def as_finished(trial: FrozenTrial, level: int) -> FrozenTrial | None:
    """A trial for the samplers; None for one that cannot be used.

    Args:
        trial: As it is stored.
        level: The epoch of its value. 0: its own last one, and one that is not complete counts as pruned.
    """
    values = {step: value for step, value in trial.intermediate_values.items() if math.isfinite(value)}
    if level:
        if level not in values:
            return None
        state, value = TrialState.COMPLETE, values[level]
    elif trial.state == TrialState.COMPLETE and trial.value is not None and math.isfinite(trial.value):
        state, value = TrialState.COMPLETE, trial.value
    elif values:
        state, value = TrialState.PRUNED, None
    else:
        return None
    return create_trial(
        state=state, value=value, params=trial.params, distributions=trial.distributions, intermediate_values=values
    )


# -- the unit cube -------------------------------------------------------------------------------------------------


def from_unit(space: Space, unit: Sequence[float]) -> dict[str, Any]:
    """A place of the unit cube as a configuration."""
    chosen: dict[str, Any] = {}
    for u, (key, d) in zip(unit, space.parameters.items(), strict=True):
        if space.active(key, chosen):
            chosen[key] = value_at(d, min(max(float(u), 0.0), 1 - 1e-12))
    return chosen


def value_at(d: BaseDistribution, u: float) -> Any:
    """The value of a distribution at a quantile u in [0, 1)."""
    if isinstance(d, CategoricalDistribution):
        return d.choices[int(u * len(d.choices))]
    assert isinstance(d, FloatDistribution | IntDistribution)
    whole = isinstance(d, IntDistribution)
    low, high = (d.low - 0.5, d.high + 0.5) if whole else (d.low, d.high)
    value = math.exp(math.log(low) + u * math.log(high / low)) if d.log else low + u * (high - low)
    if d.step and not d.log:
        value = d.low + round((value - d.low) / d.step) * d.step
    return int(min(max(round(value), d.low), d.high)) if whole else min(max(float(value), d.low), d.high)


def to_unit(space: Space, params: dict[str, Any]) -> list[float]:
    """The inverse of ``from_unit``; a choice is the middle of its part."""
    found = []
    for key, d in space.parameters.items():
        value = params[key]
        if isinstance(d, CategoricalDistribution):
            found.append((d.choices.index(value) + 0.5) / len(d.choices))
            continue
        assert isinstance(d, FloatDistribution | IntDistribution)
        low, high = (d.low - 0.5, d.high + 0.5) if isinstance(d, IntDistribution) else (d.low, d.high)
        u = math.log(value / low) / math.log(high / low) if d.log else (value - low) / (high - low)
        found.append(min(max(u, 0.0), 1.0))
    return found


def own_gp(space: Space, trials: Sequence[FrozenTrial], draw: int, seed: int) -> dict[str, Any]:
    """Expected improvement of the project's Gaussian process over the trials that were trained furthest.

    They are those that have reached ``level_of`` them.
    """
    import torch

    from lit_models.gp.bayesian_optimization import Acquisition, suggest

    curves = [(trial.params, trial.intermediate_values) for trial in trials]
    level = level_of([curve for _, curve in curves])
    known = [(to_unit(space, params), space.sign * curve[level]) for params, curve in curves if level in curve]
    x = torch.tensor([place for place, _ in known], dtype=torch.float64).reshape(-1, len(space.parameters))
    y = torch.tensor([value for _, value in known], dtype=torch.float64)
    kind: Acquisition = "random" if len(known) < STARTUP else "ei"
    with torch.random.fork_rng(devices=[]):
        return from_unit(space, suggest(x, y, kind, seed=seed * 100_003 + draw).tolist())
