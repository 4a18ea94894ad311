"""The pictures of a search: incumbent over time, rungs, parallel coordinates, importance of the parameters."""

import math
from collections.abc import Sequence
from typing import Any

import optuna
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState, create_trial

from callbacks.pictures.figures import new_figure
from scripts.tune import pareto
from scripts.tune.random_search import incumbents
from scripts.tune.samplers import to_unit
from scripts.tune.space import Space

GRAY, BLUE, RED = "0.75", "tab:blue", "tab:red"


def all_pictures(space: Space, trials: Sequence[FrozenTrial], begun: float) -> dict[str, Figure]:
    """The pictures that the trials so far allow, by name."""
    valued = [trial for trial in trials if trial.intermediate_values]
    if not valued:
        return {}
    found = {"incumbent": incumbent(space, valued, begun), "rungs": learning_curves(space, valued)}
    if space.second and pareto.pairs(space, valued):
        found["pareto"] = pareto.picture(space, valued)
    if len(valued) > 1:
        found["parallel"] = parallel(space, valued)
        shares = importances(space, valued)
        if shares:
            found["importance"] = importance(shares)
    return found


def timed_values(space: Space, trials: Sequence[FrozenTrial], begun: float) -> list[tuple[float, float, int]]:
    """(seconds since the beginning, value, trial) of each epoch of each trial, in the order of time."""
    found = []
    for trial in trials:
        for epoch, value in trial.intermediate_values.items():
            when = trial.user_attrs.get(f"time {epoch}")
            if when is not None and math.isfinite(value):
                found.append((when - begun, value, trial.user_attrs["draw"]))
    return sorted(found)


def incumbent(space: Space, trials: Sequence[FrozenTrial], begun: float) -> Figure:
    """Every value that was seen, and the best one so far, over the seconds since the search began."""
    figure = new_figure(6.5, 3.6)
    ax = figure.subplots()
    seen = timed_values(space, trials, begun)
    times, values = [t for t, _, _ in seen], [v for _, v, _ in seen]
    ax.plot(times, values, ".", color=GRAY, ms=4, label="each epoch of each trial")
    best = [space.sign * v for v in incumbents([space.sign * v for v in values])]
    ax.step(times, best, where="post", color=BLUE, label="best so far")
    ax.set(xlabel="seconds since the search began", ylabel=space.metric)
    ax.legend()
    ax.grid(alpha=0.3)
    return figure


def learning_curves(space: Space, trials: Sequence[FrozenTrial]) -> Figure:
    """The rung diagram: each trial's curve up to the epoch where it paused, stopped or ended."""
    figure = new_figure(6.5, 3.6)
    ax = figure.subplots()
    best = best_of(space, trials)
    for trial in sorted(trials, key=lambda t: max(t.intermediate_values)):
        curve = sorted(trial.intermediate_values.items())
        chosen = best is not None and trial.user_attrs["draw"] == best.user_attrs["draw"]
        epochs, values = [e for e, _ in curve], [v for _, v in curve]
        ax.plot(epochs, values, color=RED if chosen else BLUE, lw=2 if chosen else 0.8, alpha=1 if chosen else 0.45)
        ax.plot(epochs[-1], values[-1], ".", color=RED if chosen else BLUE, ms=5)
    reached = sorted({max(t.intermediate_values) for t in trials})
    for epoch in reached if len(reached) <= 12 else ():
        count = sum(max(t.intermediate_values) >= epoch for t in trials)
        ax.axvline(epoch, color=GRAY, lw=0.8, zorder=0)
        ax.annotate(f"{count}", (epoch, 1.01), xycoords=("data", "axes fraction"), ha="center", fontsize="small")
    ax.set(xlabel="epoch (above: trials that reached it)", ylabel=space.metric)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def parallel(space: Space, trials: Sequence[FrozenTrial]) -> Figure:
    """One line a trial through its parameters, each on its own scale; the color is the value it has reached."""
    keys = [key for key in space.parameters if key not in space.conditions]
    plain = Space(space.metric, space.mode, space.max_epochs, parameters={k: space.parameters[k] for k in keys})
    figure = new_figure(max(5.0, 1.9 * (len(keys) + 1)), 3.8)
    ax = figure.subplots()
    values = [last_value(trial) for trial in trials]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colors = colormaps["viridis" if space.mode == "max" else "viridis_r"]
    for trial, value in sorted(zip(trials, values, strict=True), key=lambda pair: -space.sign * pair[1], reverse=False):
        heights = [*to_unit(plain, trial.params), (value - low) / span]
        ax.plot(range(len(heights)), heights, color=colors((value - low) / span), alpha=0.7, lw=1)
    for k, key in enumerate(keys):
        d: Any = space.parameters[key]
        ax.axvline(k, color="0.4", lw=0.8)
        if hasattr(d, "choices"):
            for j, choice in enumerate(d.choices):
                ax.annotate(f" {choice}", (k, (j + 0.5) / len(d.choices)), fontsize="small", va="center")
        else:
            ax.annotate(f"{d.low:.4g}", (k, -0.02), ha="center", va="top", fontsize="small")
            ax.annotate(f"{d.high:.4g}{' (log)' if d.log else ''}", (k, 1.02), ha="center", fontsize="small")
    ax.axvline(len(keys), color="0.4", lw=0.8)
    names = [key.split(".", 1)[-1].replace(".", "\n") for key in keys]
    ax.set_xticks(range(len(keys) + 1), [*names, space.metric], fontsize="small")
    ax.tick_params(axis="x", pad=14)
    ax.set(yticks=[], ylim=(-0.02, 1.02), xlim=(-0.3, len(keys) + 0.3))
    ax.spines[:].set_visible(False)
    figure.colorbar(ScalarMappable(Normalize(low, high), colors), ax=ax, label=space.metric)
    return figure


def importances(space: Space, trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """The share of each parameter in the differences between the trials (PED-ANOVA, Optuna's); empty for few trials."""
    study = optuna.create_study(direction="maximize" if space.mode == "max" else "minimize")
    for trial in trials:
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=last_value(trial),
                params=trial.params,
                distributions=trial.distributions,
            )
        )
    if len(trials) < 5 or len({last_value(trial) for trial in trials}) < 2:
        return {}
    try:
        return {name: float(share) for name, share in optuna.importance.get_param_importances(study).items()}
    except (ValueError, RuntimeError):  # no parameter differs
        return {}


def importance(shares: dict[str, float]) -> Figure:
    """The shares as bars, the largest above."""
    figure = new_figure(6.5, 1.0 + 0.35 * len(shares))
    ax = figure.subplots()
    names = sorted(shares, key=lambda name: shares[name])
    ax.barh(names, [shares[name] for name in names], color=BLUE)
    ax.set(xlabel="share in the differences between trials")
    return figure


def last_value(trial: FrozenTrial) -> float:
    """A trial's value at the last epoch it has reached."""
    return trial.intermediate_values[max(trial.intermediate_values)]


def best_of(space: Space, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The best of the trials that were trained longest; None where none has a value."""
    valued = [t for t in trials if t.intermediate_values and not t.user_attrs.get("error")]
    if not valued:
        return None
    longest = max(max(t.intermediate_values) for t in valued)
    whole = [t for t in valued if max(t.intermediate_values) == longest]
    return min(whole, key=lambda t: (space.sign * last_value(t), t.user_attrs["draw"]))
