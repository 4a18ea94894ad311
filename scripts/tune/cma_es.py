"""CMA-ES: a normal distribution over the space that moves and stretches toward the better half of its draws.

Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; the update is that of the package ``cmaes``. Optuna's sampler
keeps the distribution in the storage, as attributes of its own trials. Here nothing is kept: the distribution is
computed again from the values of all generations before, so that any process can draw the next configuration and a
kill loses nothing. A generation is a fixed number of draws, 4 + 3 ln(dimensions). A configuration without a value (it
failed, is in training, or was stopped before the epoch that is compared) counts as the worst of its generation.

Parameters are places of the unit cube, a choice the middle of its part, so that the order of choices matters to it.
"""

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

from scripts.tune.space import Space

SIGMA = 0.25  # of the first generation, around the middle of the unit cube


def place(
    space: Space, places: dict[int, Sequence[float]], values: dict[int, float], draw: int, seed: int
) -> Sequence[float]:
    """The place of draw number ``draw`` in the unit cube.

    Args:
        space: What is searched.
        places: Of the draws so far.
        values: Of those that have one, the lower the better.
        draw: Its number in the study.
        seed: Of the search.
    """
    import numpy as np
    from cmaes import CMA

    dimensions = len(space.parameters)
    bounds = np.tile([0.0, 1.0], (dimensions, 1))
    search = CMA(mean=np.full(dimensions, 0.5), sigma=SIGMA, bounds=bounds)

    def drawn(number: int) -> Any:
        search.reseed_rng((seed * 100_003 + number) % 2**32)
        return search.ask()

    size = search.population_size
    for first in range(0, draw - draw % size, size):
        told = []
        for number in range(first, first + size):
            own = np.asarray(places[number]) if number in places else drawn(number)
            told.append((own, values.get(number, float("inf"))))
        search.tell(told)
    return [float(u) for u in drawn(draw)]


def history(trials: Sequence[FrozenTrial], epoch: int, sign: float) -> dict[int, float]:
    """The values at an epoch by draw, the lower the better."""
    curves = {trial.user_attrs["draw"]: trial.intermediate_values for trial in trials}
    return {
        draw: sign * curve[epoch] for draw, curve in curves.items() if epoch in curve and curve[epoch] == curve[epoch]
    }
