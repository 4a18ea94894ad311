"""The loop of ``dive tune``: asks the scheduler for the next job, trains it, tells the ledger, until nothing is left.

Several processes run this loop on one study; all they share is the ledger (``ledger.py``).
"""

import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from callbacks.metrics_csv import read_metrics
from common.messages import RunError, UserError, note
from scripts.front.forked import FORKS
from scripts.tune import samplers
from scripts.tune import trial as trials_of
from scripts.tune.ledger import Ledger, View
from scripts.tune.progress import Job, Progress
from scripts.tune.schedulers import always
from scripts.tune.search import Running, Search

KILLS = 2  # a trial whose process is killed so often has failed, often for lack of memory
FAILURES = 5  # the first trials: if all fail alike, the command is at fault
END_SECONDS = 30.0  # for a trial to save and end


class Engine:
    """Works on a study until all is done.

    Args:
        search: What is searched, and how.
        ledger: The study.
    """

    def __init__(self, search: Search, ledger: Ledger) -> None:
        self.search, self.ledger = search, ledger
        self.running: dict[int, Running] = {}

    def run(self) -> None:
        """Works until every trial is done. Any exception, a signal's too, first ends the trials that are running."""
        try:
            while True:
                view = self.fill()
                if not self.running and self.is_done(view):
                    return
                self.listen()
                self.ledger.sign()
        finally:
            self.stop()

    def progress(self, view: View) -> list[Progress]:
        """The trials as the scheduler sees them."""
        return self.ledger.progress(view)

    def is_done(self, view: View) -> bool:
        """Whether nothing is to be done, here or in another process."""
        found = self.progress(view)
        return (
            not any(trial.busy for trial in found) and self.search.scheduler.next_job(found, self.search.count) is None
        )

    # -- beginning ----------------------------------------------------------------------------------------------------

    def fill(self) -> View:
        """Begins jobs until all slots are taken or none is left; returns the study."""
        view = self.ledger.view()
        self.end_trained(view)
        while len(self.running) < self.search.jobs:
            job = self.search.scheduler.next_job(self.progress(view), self.search.count)
            if job is None or job.number in self.running:  # promoted, and its process is still saving
                return view
            self.begin(job, view)
            view = self.ledger.view()
        return view

    def end_trained(self, view: View) -> None:
        """Ends the trials that were trained to their end by a process that died before it said so."""
        whole = self.search.space.max_epochs
        for one in self.progress(view):
            trial = view.trials.get(one.number)
            if trial and trial.state == TrialState.RUNNING and not one.busy and len(one.values) >= whole:
                self.ledger.end(trial, TrialState.COMPLETE, trial.intermediate_values[whole])

    def begin(self, job: Job, view: View) -> None:
        """Claims a job and starts its process, if no other process was first."""
        last = view.turns.get(job.number)
        turn = last.number + 1 if last else 0
        trial = view.trials.get(job.number)
        params: dict[str, Any] = {}
        if trial is None:  # before the claim: a model takes its time
            known = [t for t in view.trials.values() if t.state != TrialState.FAIL]
            params = samplers.propose(self.search.sampler, self.search.space, known, job.number, self.search.seed)
        if not self.ledger.claim(job.number, turn, job.until):
            return
        if trial is None:
            run = f"trials/{job.number:04d}"
            trial = self.ledger.begin(job.number, params, run)
        elif self.catch_up(trial) >= job.until:  # it was trained, and the process died before it told
            self.finish(trial, turn, job.until)
            return
        self.start(trial, turn, job.until)

    def start(self, trial: FrozenTrial, turn: int, until: int) -> None:
        """Starts the process of a trial."""
        folder = self.search.folder / trial.user_attrs["run"]
        pipe, there = FORKS.Pipe()
        ear, life = FORKS.Pipe(duplex=False)
        threads = int(os.environ.get("OMP_NUM_THREADS") or max((os.cpu_count() or 1) // self.search.jobs, 1))
        metric = self.search.space.metric, self.search.space.second
        arguments = (self.search.words(trial.params), str(folder), metric, threads, there, ear)
        process = FORKS.Process(target=trials_of.enter, args=arguments)
        process.start()
        there.close()
        ear.close()
        self.running[trial.user_attrs["draw"]] = Running(trial, turn, until, process, pipe, life)

    def catch_up(self, trial: FrozenTrial) -> int:
        """Tells the ledger the values of the run's metrics.csv that it does not have; returns how many it has then."""
        path = self.search.folder / trial.user_attrs["run"] / "metrics.csv"
        curve = trial.intermediate_values
        for row in read_metrics(path) if path.is_file() else []:
            value, epoch = row.get(self.search.space.metric), row.get("epoch")
            if value is not None and epoch is not None and int(epoch) + 1 not in curve:
                self.ledger.report(trial, int(epoch) + 1, float(value))
                curve[int(epoch) + 1] = float(value)
        second = trials_of.recorded_second(self.search.space.second, path.parent)
        if second is not None and "second" not in trial.user_attrs:
            self.ledger.note(trial, "second", second)
        count = 0
        while count + 1 in curve:
            count += 1
        return count

    # -- listening ----------------------------------------------------------------------------------------------------

    def listen(self, seconds: float = 1.0) -> None:
        """Handles what the trials send, and their ends; returns after so many seconds at most."""
        if not self.running:
            time.sleep(seconds)  # others are at work, and a rung is not complete
            return
        pipes = {job.pipe: job for job in self.running.values()}
        ends = {job.process.sentinel: job for job in self.running.values()}
        ready = wait([*pipes, *ends], timeout=seconds)
        for item in ready:
            if isinstance(item, Connection):
                self.hear(pipes[item])
        for item in ready:
            if not isinstance(item, Connection):
                self.close(ends[item])  # type: ignore[index]

    def hear(self, job: Running) -> None:
        """Handles the messages of a trial."""
        while job.pipe.poll():
            try:
                kind, *facts = job.pipe.recv()
            except (EOFError, OSError):
                return
            if kind == "epoch":
                with suppress(OSError):  # it was killed
                    job.pipe.send(self.after_epoch(job, *facts))
            elif kind == "failed":
                job.state, job.error = TrialState.FAIL, facts[0]
            elif kind == "missing":
                names = ", ".join(facts[0]) or "nothing of the validation split"
                raise UserError(f"{self.search.recipe} does not log {self.search.space.metric}: it logs {names}")

    def after_epoch(self, job: Running, epoch: int, value: float, second: float | None) -> str:
        """Tells the ledger the values of an epoch; returns ``go`` or ``pause``."""
        space, trial, draw = self.search.space, job.trial, job.trial.user_attrs["draw"]
        if epoch > 1 and epoch - 1 not in trial.intermediate_values:
            self.catch_up(trial)
        if value != value or abs(value) == float("inf"):
            job.state, job.error = TrialState.FAIL, f"{space.metric} is {value} after epoch {epoch}"
            return "pause"
        self.ledger.report(trial, epoch, value)
        if second is not None:
            self.ledger.note(trial, "second", second)
        trial.intermediate_values[epoch] = value
        if epoch >= space.max_epochs:
            job.state, job.value = TrialState.COMPLETE, value
            return "pause"
        if epoch < job.until and self.search.scheduler.keeps is always:
            return "go"
        view = self.ledger.view()
        if view.turns[draw].number > job.turn:
            job.state, job.error = TrialState.WAITING, "another process took it, as this one gave no sign of life"
            return "pause"
        found = self.progress(view)
        own = next(one for one in found if one.number == draw)
        if not self.search.scheduler.keeps(own, found, epoch):
            job.state, job.value = TrialState.PRUNED, value
            return "pause"
        if epoch < job.until:
            return "go"
        free = [Progress(p.number, p.values, p.target, False, p.ended) if p is own else p for p in found]
        best = self.search.scheduler.next_job(free, self.search.count)
        if best is not None and best.number == draw and self.ledger.claim(draw, job.turn + 1, best.until):
            job.turn, job.until = job.turn + 1, best.until  # promoted at once: its process continues
            return "go"
        return "pause"

    def close(self, job: Running) -> None:
        """Handles the end of a trial's process."""
        self.hear(job)
        job.process.join()
        job.pipe.close()
        job.life.close()
        trial, code = job.trial, job.process.exitcode or 0
        del self.running[trial.user_attrs["draw"]]
        if job.state == TrialState.WAITING:
            note(f"trial {trial.user_attrs['draw']}: {job.error}")
            return
        if job.state == TrialState.RUNNING and code in (1, 2):
            job.state, job.error = TrialState.FAIL, trials_of.last_line(self.folder_of(trial) / "trial.log")
        elif job.state == TrialState.RUNNING and (code < 0 or code == 137):
            kills = int(trial.user_attrs.get("kills", 0)) + 1
            self.ledger.note(trial, "kills", kills)
            if kills >= KILLS:
                name = signal.Signals(-code if code < 0 else 9).name
                job.state, job.error = TrialState.FAIL, f"killed {kills} times by {name}, often for lack of memory"
        if job.state == TrialState.FAIL:
            self.fail(job)
        self.finish(trial, job.turn, job.until, job.state, job.value, stopped=code in (0,))

    def finish(
        self,
        trial: FrozenTrial,
        turn: int,
        until: int,
        state: TrialState = TrialState.RUNNING,
        value: float | None = None,
        stopped: bool = True,
    ) -> None:
        """Writes what a trial has become; one that pauses is released."""
        curve = trial.intermediate_values
        last = max(curve, default=0)
        if state == TrialState.RUNNING and stopped and 0 < last < until:  # the recipe's own early stopping
            for epoch in range(last + 1, self.search.space.max_epochs + 1):
                self.ledger.report(trial, epoch, curve[last])
            state, value = TrialState.COMPLETE, curve[last]
        if state == TrialState.RUNNING and last >= self.search.space.max_epochs:
            state, value = TrialState.COMPLETE, curve[last]
        if state.is_finished():
            self.ledger.end(trial, state, value)
        else:
            self.ledger.note(trial, "released", turn)

    def fail(self, job: Running) -> None:
        """Records why a trial failed.

        Raises:
            RunError: The disk is full.
            UserError: The first trials all failed.
        """
        draw = job.trial.user_attrs["draw"]
        if job.error.startswith("cannot write"):
            raise RunError(job.error)
        self.ledger.note(job.trial, "error", job.error)
        note(f"trial {draw} failed: {job.error}")
        done = [t for t in self.ledger.view().trials.values() if t.intermediate_values or t.state.is_finished()]
        failed = [t for t in done if t.user_attrs.get("error")]
        if len(failed) == len(done) >= FAILURES and not any(t.intermediate_values for t in done):
            self.ledger.end(job.trial, TrialState.FAIL)
            raise UserError(f"the first {len(done)} trials all failed, the last one with: {job.error}")

    def folder_of(self, trial: FrozenTrial) -> Path:
        return self.search.folder / str(trial.user_attrs["run"])

    def stop(self) -> None:
        """Ends the trials that are running, each with a save; other processes may take up those that are not done."""
        for job in self.running.values():
            with suppress(OSError, AttributeError):
                job.process.terminate()
            job.pipe.close()  # one that waits for an answer takes this as `pause`
        until = time.monotonic() + END_SECONDS
        for job in list(self.running.values()):
            job.process.join(max(until - time.monotonic(), 0.1))
            job.process.kill()
            job.process.join()
            job.life.close()
            with suppress(Exception):  # the storage may be why the search ends
                if job.state == TrialState.FAIL:
                    self.fail(job)
                self.finish(job.trial, job.turn, job.until, job.state, job.value, stopped=False)
        self.running.clear()
