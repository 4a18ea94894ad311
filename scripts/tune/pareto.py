"""Two objectives: the trials that no other trial beats in both, and what an early stop may not decide.

A trial is on the Pareto front if every other one is worse in at least one objective, or equal in both. Only trials that
were trained to their end are compared: half a training is neither a value nor a cost. So ``--scheduler none`` is the
only one (Optuna prunes no study of two objectives either). Samplers with a model of both: TPE (Ozaki et al. 2022) and
Optuna's Gaussian process (expected hypervolume improvement).
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from callbacks.pictures.figures import new_figure
from common.messages import UserError
from scripts.tune.space import Space

ONE_NUMBER = ("own_gp", "cmaes")  # samplers that need one


def check(space: Space, sampler: str, scheduler: str) -> None:
    """Raises a UserError where a sampler or a scheduler cannot have two objectives."""
    if space.second and scheduler != "none":
        raise UserError(f"--scheduler {scheduler} compares one number, {space.second} is a second one: take none")
    if space.second and sampler in ONE_NUMBER:
        raise UserError(f"--sampler {sampler} has one objective, {space.second} is a second one: take tpe or gp")


def pairs(space: Space, trials: Sequence[FrozenTrial]) -> list[tuple[FrozenTrial, float, float]]:
    """(trial, its value, its second objective) of the trials that were trained to their end."""
    return [
        (trial, float(trial.value), float(trial.user_attrs["second"]))
        for trial in trials
        if trial.state == TrialState.COMPLETE and trial.value is not None and "second" in trial.user_attrs
    ]


def front(space: Space, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The Pareto front, the lowest second objective first; of equal trials the earlier one."""
    found: list[FrozenTrial] = []
    best = float("inf")
    order = sorted(pairs(space, trials), key=lambda p: (p[2], space.sign * p[1], p[0].user_attrs["draw"]))
    for trial, value, _ in order:
        if space.sign * value < best:
            best = space.sign * value
            found.append(trial)
    return found


def rows_of(space: Space, trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """The front for the report."""
    return [
        {
            "trial": trial.user_attrs["draw"],
            space.metric: trial.value,
            space.second: trial.user_attrs["second"],
            **{key: trial.params.get(key, "") for key in space.parameters},
        }
        for trial in front(space, trials)
    ]


def picture(space: Space, trials: Sequence[FrozenTrial]) -> Figure:
    """All finished trials, and the front as a staircase: what the best value costs."""
    figure = new_figure(6.5, 3.8)
    ax = figure.subplots()
    all_pairs, best = pairs(space, trials), front(space, trials)
    ax.plot([c for _, _, c in all_pairs], [v for _, v, _ in all_pairs], ".", color="0.6", label="trained to the end")
    costs, values = [t.user_attrs["second"] for t in best], [float(t.value or 0.0) for t in best]
    ax.step(costs, values, where="post", color="tab:red", marker="o", ms=4, label="Pareto front")
    for trial, cost, value in zip(best, costs, values, strict=True):
        number = str(trial.user_attrs["draw"])
        ax.annotate(number, (cost, value), xytext=(4, 4), textcoords="offset points", fontsize="small")
    if min((c for _, _, c in all_pairs), default=0) > 0:
        ax.set_xscale("log")
    ax.set(xlabel=f"{space.second} (the numbers are trials)", ylabel=space.metric)
    ax.legend()
    ax.grid(alpha=0.3)
    return figure
