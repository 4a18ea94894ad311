"""ASHA, asynchronous successive halving, in the paper's form: a trial pauses at a rung and may be promoted later.

Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar 2020, "A system for massively parallel hyperparameter
tuning", algorithm 2. D2L 19.5. A worker that is free promotes the best trial that is among the top 1/eta of its rung,
looking from the highest rung down, and begins a new one where there is none. Nobody ever waits for a rung.
"""

from collections.abc import Sequence

from scripts.tune.progress import Job, Progress, best, rungs, unfinished


def promotable(trials: Sequence[Progress], epochs: Sequence[int], eta: int) -> Job | None:
    """The promotion that the paper's ``get_job`` finds; None where no trial can be promoted.

    Args:
        trials: All trials so far.
        epochs: The epoch of each rung, the whole training last.
        eta: One of so many trials of a rung is promoted.
    """
    for k in range(len(epochs) - 2, -1, -1):
        reached = {t.number: value for t in trials if (value := t.at(epochs[k])) is not None}
        known = {trial.number: trial for trial in trials}
        for number in best(reached, len(reached) // eta):
            if known[number].target == epochs[k] and not known[number].ended:  # not promoted before
                return Job(number, epochs[k + 1])
    return None


def next_job(trials: Sequence[Progress], count: int, min_epochs: int, max_epochs: int, eta: int) -> Job | None:
    """The next job: one whose process is gone, a promotion, or a new trial; None where nothing is left to do now.

    Args:
        trials: All trials so far, by number.
        count: How many trials the study has; promotions continue after the last one has begun.
        min_epochs, max_epochs, eta: See ``rungs``.
    """
    epochs = rungs(min_epochs, max_epochs, eta)
    job = unfinished(trials) or promotable(trials, epochs, eta)
    if job is None and len(trials) < count:
        return Job(len(trials), epochs[0])
    return job
