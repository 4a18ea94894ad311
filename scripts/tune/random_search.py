"""Random search: every trial is trained to the end. Bergstra and Bengio 2012. D2L 19.2; with several workers 19.3.

It is asynchronous without further work: a worker that is free begins the next trial and waits for nobody.
"""

from collections.abc import Sequence

from scripts.tune.progress import Job, Progress, unfinished


def next_job(trials: Sequence[Progress], count: int, max_epochs: int, batch: int = 1) -> Job | None:
    """The next trial, trained to the end; None where all ``count`` have begun.

    Args:
        trials: All trials so far, by number.
        count: How many trials the study has.
        max_epochs: The whole training.
        batch: So many begin together, when the batch before has ended: the synchronous form, to compare with.
    """
    if job := unfinished(trials):
        return job
    waits = len(trials) % batch == 0 and any(trial.busy for trial in trials) and batch > 1
    return Job(len(trials), max_epochs) if len(trials) < count and not waits else None


def incumbents(values: Sequence[float]) -> list[float]:
    """The best value so far, after each of ``values``; the lower the better."""
    found: list[float] = []
    for value in values:
        found.append(min(value, found[-1]) if found else value)
    return found
