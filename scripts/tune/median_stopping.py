"""The median rule: a trial ends when its best value is worse than the median of what others had by that epoch.

Golovin et al. 2017, "Google Vizier: a service for black-box optimization", section 3.2.2. Departs from the paper, which
compares with the running averages of finished trials: here, as in Optuna's ``MedianPruner``, with the values of the
epoch itself.
"""

from collections.abc import Sequence
from statistics import median

from scripts.tune.progress import Progress


def decide(trial: Progress, trials: Sequence[Progress], epoch: int, warmup: int = 1, startup: int = 5) -> bool:
    """Whether a trial that has just finished an epoch continues.

    Args:
        trial: It, with its values up to now.
        trials: All trials.
        epoch: The epoch that it has finished.
        warmup: Nothing is stopped up to this epoch.
        startup: Nothing is stopped before so many trials have trained to their end.
    """
    done = [t for t in trials if t.number != trial.number and not t.busy and not t.ended and len(t.values) == t.target]
    others = [t.values[epoch - 1] for t in done if len(t.values) >= epoch]
    if epoch <= warmup or len(done) < startup or not others:
        return True
    return min(trial.values[:epoch]) <= median(others)
