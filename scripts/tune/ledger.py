"""Who does what in a study that several processes share: Optuna's storage as a ledger of claims.

A study has two parts in the storage. ``NAME`` has a trial for each configuration, with its value after each epoch.
``NAME claims`` is only appended to: "process W takes turn t of configuration k, up to epoch e". Storages number what is
appended in one order for all, so of two claims of the same turn the one with the lower number has won, on any database,
without locks. Whoever wins a turn trains; it releases the turn when the trial pauses. The turn of a process that is
gone may be claimed as the next turn: nothing is lost, since the trial is in its checkpoint, and nothing is done twice.

A process is gone if its number is not that of a living process any more (on this machine), or if it has not signed for
a while (on another one).
"""

import os
import random
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from common.messages import RunError, UserError
from scripts.tune.progress import Progress
from scripts.tune.space import Space, says_difference

SIGN_SECONDS = 15.0  # between two signs of life
OPENINGS = 20  # further ones, while other processes make the tables
GONE_SECONDS = 90.0  # without a sign, on another machine


@dataclass
class Turn:
    """The newest turn of a configuration: whose it is, up to which epoch, and whether it is released."""

    number: int
    worker: str
    until: int


@dataclass
class View:
    """A study as it is now.

    Args:
        trials: By draw, the number of a configuration.
        turns: By draw, the newest turn.
    """

    trials: dict[int, FrozenTrial] = field(default_factory=dict)
    turns: dict[int, Turn] = field(default_factory=dict)


class Ledger:
    """The study of one process among those that share it.

    Args:
        url: Optuna's storage URL, or the path of a journal file ending in ``.journal``.
        name: Name of the study.
        space: Its space, which must be that of the stored study.
        settings: What else must be the same for all processes: recipe, scheduler, sampler.

    Raises:
        UserError: The storage cannot be opened, or has a study of this name and another space.
    """

    def __init__(self, url: str, name: str, space: Space, settings: dict[str, str]) -> None:
        self.space, self.name, self.url = space, name, url
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{started(os.getpid())}"
        self.signed = 0.0
        with plain_errors(url):
            self.storage = open_storage(url)
            directions = [StudyDirection.MAXIMIZE if space.mode == "max" else StudyDirection.MINIMIZE]
            self.study = self._study(name, directions)
            self.claims = self._study(f"{name} claims", [StudyDirection.MINIMIZE])
            self._check({"space": space.text(), **settings})
            self.sign(force=True)

    def _study(self, name: str, directions: Sequence[StudyDirection]) -> int:
        try:
            return self.storage.create_new_study(directions, name)
        except optuna.exceptions.DuplicatedStudyError:
            return self.storage.get_study_id_from_name(name)

    def _check(self, settings: dict[str, str]) -> None:
        known = self.storage.get_study_user_attrs(self.study)
        for key, value in settings.items():
            if key not in known:
                self.storage.set_study_user_attr(self.study, key, value)
            elif known[key] != value:
                raise UserError(f"study {self.name} {says_difference(key, known[key], value)}: give --study a new name")

    def begun(self) -> float:
        """When the search began, in seconds since 1970."""
        known = self.storage.get_study_user_attrs(self.study)
        if "begun" not in known:
            self.storage.set_study_user_attr(self.study, "begun", time.time())
        return float(self.storage.get_study_user_attrs(self.study)["begun"])

    def count(self, asked: int | None) -> int:
        """How many trials the study has: what is asked for, else what was asked before, else 20."""
        known = self.storage.get_study_user_attrs(self.study).get("count")
        count = int(asked or known or 20)
        if count != known:
            self.storage.set_study_user_attr(self.study, "count", count)
        return count

    # -- reading ------------------------------------------------------------------------------------------------------

    def view(self) -> View:
        """All trials and the newest turn of each configuration."""
        with plain_errors(self.url):
            trials = self.storage.get_all_trials(self.study, deepcopy=False)
            claims = self.storage.get_all_trials(self.claims, deepcopy=False)
        view = View()
        for trial in trials:
            view.trials.setdefault(trial.user_attrs["draw"], trial)
        for claim in claims:  # by number: the first one of a turn has won it
            facts = claim.user_attrs
            newest = view.turns.get(facts["draw"])
            if newest is None or facts["turn"] > newest.number:
                view.turns[facts["draw"]] = Turn(facts["turn"], facts["worker"], facts["until"])
        return view

    def progress(self, view: View) -> list[Progress]:
        """What the schedulers see: all configurations that were claimed, by number."""
        gone = {worker for worker in {turn.worker for turn in view.turns.values()} if not self.lives(worker)}
        found = []
        for draw, turn in sorted(view.turns.items()):
            if draw < 0:
                continue  # a refit of the best
            trial = view.trials.get(draw)
            curve = trial.intermediate_values if trial else {}
            values: list[float] = []
            while len(values) + 1 in curve:
                values.append(self.space.sign * curve[len(values) + 1])
            ended = trial is not None and (trial.state == TrialState.FAIL or trial.state == TrialState.PRUNED)
            done = trial is not None and trial.state.is_finished()
            busy = not done and not self.is_released(trial, turn) and turn.worker not in gone
            found.append(Progress(draw, tuple(values), turn.until, busy, ended))
        return found

    @staticmethod
    def is_released(trial: FrozenTrial | None, turn: Turn) -> bool:
        """Whether the turn's owner has ended it."""
        return trial is not None and trial.user_attrs.get("released", -1) >= turn.number

    def lives(self, worker: str) -> bool:
        """Whether a process of the study is still there."""
        if worker == self.worker:
            return True
        host, pid, begun = worker.rsplit(":", 2)
        if host == socket.gethostname():
            return started(int(pid)) == begun
        seen = self.storage.get_study_user_attrs(self.claims).get(worker, 0.0)
        return time.time() - float(seen) < GONE_SECONDS

    # -- writing ------------------------------------------------------------------------------------------------------

    def sign(self, force: bool = False) -> None:
        """A sign of life for processes on other machines, if the last one is some time ago."""
        if force or time.monotonic() - self.signed > SIGN_SECONDS:
            self.signed = time.monotonic()
            with plain_errors(self.url):
                self.storage.set_study_user_attr(self.claims, self.worker, time.time())

    def claim(self, draw: int, turn: int, until: int) -> bool:
        """Takes a turn of a configuration; False where another process was first."""
        facts = {"draw": draw, "turn": turn, "until": until, "worker": self.worker}
        with plain_errors(self.url):
            template = create_trial(state=TrialState.COMPLETE, value=0.0, user_attrs=facts)
            own = self.storage.create_new_trial(self.claims, template)
            rivals = self.storage.get_all_trials(self.claims, deepcopy=False)
        first = next(c for c in rivals if c.user_attrs["draw"] == draw and c.user_attrs["turn"] == turn)
        return first._trial_id == own

    def begin(self, draw: int, params: dict[str, Any], run: str) -> FrozenTrial:
        """Writes a new trial, whole: a kill leaves all of it or nothing."""
        distributions = {key: self.space.parameters[key] for key in params}
        facts = {"draw": draw, "run": run}
        template = create_trial(state=TrialState.RUNNING, params=params, distributions=distributions, user_attrs=facts)
        with plain_errors(self.url):
            return self.storage.get_trial(self.storage.create_new_trial(self.study, template))

    def report(self, trial: FrozenTrial, epoch: int, value: float) -> None:
        """The value after an epoch."""
        with plain_errors(self.url):
            self.storage.set_trial_intermediate_value(trial._trial_id, epoch, value)
            self.storage.set_trial_user_attr(trial._trial_id, f"time {epoch}", time.time())

    def note(self, trial: FrozenTrial, key: str, value: Any) -> None:
        """A fact about a trial."""
        with plain_errors(self.url):
            self.storage.set_trial_user_attr(trial._trial_id, key, value)

    def end(self, trial: FrozenTrial, state: TrialState, value: float | None = None) -> None:
        """A trial's final state; one that has it already keeps it."""
        with plain_errors(self.url), suppress(optuna.exceptions.UpdateFinishedTrialError):
            self.storage.set_trial_state_values(trial._trial_id, state, None if value is None else [value])


# -- storages ------------------------------------------------------------------------------------------------------


def stored(url: str, name: str) -> dict[str, Any]:
    """Space and settings of a study that was begun; empty where there is none."""
    with plain_errors(url):
        storage = open_storage(url)
        try:
            return storage.get_study_user_attrs(storage.get_study_id_from_name(name))
        except KeyError:
            return {}


def open_storage(url: str) -> BaseStorage:
    """Optuna's storage of a URL: a database, or a journal file, which also shared disks without file locks can hold."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url.endswith(".journal"):
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        path = url.removeprefix("journal:///")
        return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for again in range(OPENINGS, -1, -1):
        try:
            return optuna.storages.get_storage(RDBStorage(url, engine_kwargs=options))
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            made_by_another = "already exists" in str(error) or isinstance(error, IntegrityError)
            if not made_by_another or not again:
                raise
            time.sleep(0.1 + random.random() / 2)  # several processes make the tables of a new database at once
    raise AssertionError("unreachable")


@contextmanager
def plain_errors(url: str) -> Iterator[None]:
    """A storage's errors as one line, without its password."""
    import sqlalchemy.exc

    url = shown(url)

    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError, OSError) as error:
        reason = " ".join(str(getattr(error, "orig", None) or error.__cause__ or error).split())[:160]
        if "locked" in reason:
            raise RunError(f"{url} is locked by another program ({reason}): end it, then --resume") from error
        if "disk is full" in reason or "disk I/O" in reason or getattr(error, "errno", 0) == 28:
            raise RunError(f"{url} cannot be written ({reason}): make room, then --resume") from error
        raise UserError(f"--storage {url} cannot be used: {reason}") from error
    except (ImportError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        text = " ".join(str(error).split())[:160]
        if "psycopg" in text:
            text += ": pip install 'psycopg[binary]'"
        raise UserError(f"--storage {url} cannot be used: {text}") from error


def shown(url: str) -> str:
    """A URL with stars for its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):  # the path of a journal
        return url


def started(pid: int) -> str:
    """When a process of this machine began, as the kernel tells it; empty where there is no such process."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if words[0] in "ZX" else words[19]
    except OSError:
        if os.path.isdir("/proc/self"):
            return ""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "?"  # no /proc: a number that was given again looks like the old process
