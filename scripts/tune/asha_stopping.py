"""ASHA that stops instead of pausing: at a rung a trial continues at once, or ends for good. D2L 19.5.

This is what Optuna's ``SuccessiveHalvingPruner`` does, since its trials cannot be resumed: the decision is taken once,
against those that were there before, so the first trials of each rung always continue. The paper's form (``asha.py``)
can promote a trial later, and needs its checkpoint for that.
"""

from collections.abc import Sequence

from scripts.tune.progress import Progress, rungs


def keeps(value: float, others: Sequence[float], eta: int) -> bool:
    """Whether a trial with this value at a rung continues: it is among the best 1/eta, or the best of fewer than eta.

    Args:
        value: The trial's, the lower the better.
        others: Those of the trials that reached the rung before.
        eta: One of so many continues.
    """
    seen = sorted([*others, value])
    return value <= seen[max(len(seen) // eta, 1) - 1]


def decide(trial: Progress, trials: Sequence[Progress], epoch: int, min_epochs: int, max_epochs: int, eta: int) -> bool:
    """Whether a trial that has just finished an epoch continues.

    Args:
        trial: It, with its values up to now.
        trials: All trials.
        epoch: The epoch that it has finished.
        min_epochs, max_epochs, eta: See ``rungs``.
    """
    value = trial.at(epoch)
    if epoch not in rungs(min_epochs, max_epochs, eta)[:-1] or value is None:
        return True
    others = [t.values[epoch - 1] for t in trials if t.number != trial.number and len(t.values) >= epoch]
    return keeps(value, others, eta)
