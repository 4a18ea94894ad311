"""What a search is, a trial that is in training, and the check of the keys before the first trial."""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from common.messages import UserError
from scripts.front.forked import FORKS
from scripts.tune import samplers
from scripts.tune import trial as trials_of
from scripts.tune.schedulers import Scheduler
from scripts.tune.space import Space, words_of


@dataclass
class Running:
    """A trial in training."""

    trial: FrozenTrial
    turn: int
    until: int
    process: BaseProcess
    pipe: Connection
    life: Connection
    state: TrialState = TrialState.RUNNING  # what it is when its process has ended
    value: float | None = None
    error: str = ""


@dataclass
class Search:
    """What a process needs to work on a study.

    Args:
        recipe: Name or file of the recipe.
        arguments: Further options of ``dive fit`` for all trials.
        space: The space.
        scheduler: What decides.
        sampler: Name of the sampler.
        count: Trials of the study.
        jobs: Trials that this process trains at a time.
        seed: Of the sampler.
        folder: Of the study: the trials' run folders are in it.
    """

    recipe: str
    arguments: list[str]
    space: Space
    scheduler: Scheduler
    sampler: str
    count: int
    jobs: int
    seed: int
    folder: Path

    def words(self, params: dict[str, Any]) -> list[str]:
        """The arguments of ``dive fit`` for a configuration."""
        epochs = ["--trainer.max_epochs", str(self.space.max_epochs)]
        return [self.recipe, *self.arguments, *epochs, *words_of(params)]


def check_keys(search: Search) -> None:
    """Parses configurations that together have every key of the space, as ``dive fit`` does.

    Raises:
        UserError: The recipe does not have a key, or a value has the wrong type; an option of the command is wrong.
    """
    seen: set[str] = set()
    found = [search.words({})]
    for draw in range(20):
        params = samplers.propose("random", search.space, [], draw, search.seed)
        if not params.keys() <= seen:
            seen |= params.keys()
            found.append(search.words(params))
    here, there = FORKS.Pipe()
    process = FORKS.Process(target=trials_of.check, args=(found, there))
    process.start()
    there.close()
    try:
        number, text = here.recv()
    except EOFError:
        number, text = 0, "the process that checks the options died"
    process.join()
    if text:
        raise UserError(f"the space does not fit {search.recipe}: {text}" if number else text)
