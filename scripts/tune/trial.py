"""A trial in a process of its own: ``dive fit`` that reports each epoch, and pauses when it is told to.

The process is forked from the fork server of ``scripts/front/forked.py``, which has imported torch and Lightning. After
each epoch it sends its value and waits for the answer; ``pause`` ends it like early stopping does, with the checkpoint
of that epoch saved, from which it continues later as after any interruption, to the bit. The schedule of the learning
rate is that of the whole training from the beginning. The process ends at once when the one that started it is gone,
and holds a lock on its folder, so that two never train in one.
"""

import fcntl
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.run_record import RunRecord


class Reporter(Callback):
    """Sends (``epoch``, its number from 1 on, value, second objective) after each epoch; the answer ``pause`` stops the
    training.

    Pictures are left out: drawing them takes as long as some trials. The best configuration's refit draws them.

    Args:
        pipe: To the process that drives the search.
        metric: What is reported.
        second: ``parameters``, ``seconds``, or nothing.
    """

    def __init__(self, pipe: Connection, metric: str, second: str = "") -> None:
        self.pipe = pipe
        self.metric = metric
        self.second = second

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        trainer.callbacks = [c for c in callbacks if not type(c).__module__.startswith("callbacks.pictures.")]  # type: ignore[attr-defined]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics
        if self.metric not in metrics:
            self.pipe.send(("missing", sorted(name for name in metrics if name.startswith("val/"))))
            raise SystemExit(2)
        try:
            second = second_value(self.second, trainer, pl_module)
            self.pipe.send(("epoch", trainer.current_epoch + 1, float(metrics[self.metric]), second))
            answer = self.pipe.recv()
        except (EOFError, OSError):  # the search ends: what was trained is saved
            answer = "pause"
        trainer.should_stop = trainer.should_stop or answer == "pause"


def second_value(name: str, trainer: Trainer, pl_module: LightningModule) -> float | None:
    """A second objective so far: the number of parameters, or the seconds of training over all resumes."""
    if name == "parameters":
        return float(sum(p.numel() for p in pl_module.parameters()))
    records = [c for c in trainer.callbacks if isinstance(c, RunRecord)]  # type: ignore[attr-defined]
    return float(records[0].state_dict()["seconds"]) if name and records else None


def recorded_second(name: str, folder: Path) -> float | None:
    """The same of a run whose process is gone, from its run.json."""
    path = folder / "run.json"
    found = json.loads(path.read_text()).get(name) if name and path.is_file() else None
    return None if found is None else float(found)


def enter(
    words: list[str], folder: str, metric: tuple[str, str], threads: int, pipe: Connection, life: Connection
) -> None:
    """The function that runs in the new process.

    Args:
        words: The arguments of ``dive fit``.
        folder: The trial's run folder.
        metric: What is reported, and the second objective.
        threads: Of torch.
        pipe: To the process that drives the search.
        life: Its other end is open as long as that process lives.
    """
    with alone_in(Path(folder), life):
        code = fit(words, Path(folder), Reporter(pipe, *metric), threads)
    sys.exit(code)


def enter_command(words: list[str], folder: str, life: Connection) -> None:
    """As ``enter``, for a whole ``dive WORDS`` on a run folder that reports nothing: the refit of the best."""
    from scripts.cli import main
    from scripts.front.runs import RUN_DIR

    with alone_in(Path(folder), life):
        if "--run" not in words:
            os.environ[RUN_DIR] = folder
        sys.argv = ["dive", *words]
        code = main(words)
    sys.exit(code)


@contextmanager
def alone_in(folder: Path, life: Connection) -> Iterator[None]:
    """Makes this process the only one in a run folder while the search lives; output goes to the folder's log."""
    os.setsid()  # Ctrl-C is for the search, which then ends its trials
    study = folder.parents[1]  # its trials and refits are one group in W&B
    os.environ.setdefault("WANDB_RUN_GROUP", f"{study.parents[1].name} {study.name}")
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "trial.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    threading.Thread(target=end_with, args=(life,), daemon=True).start()
    with open(folder / "trial.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until a process of before is gone
        yield


def end_with(life: Connection) -> None:
    """Ends this process when the search's process is gone."""
    try:
        life.recv()
    except (EOFError, OSError):
        os._exit(137)


def fit(words: list[str], folder: Path, reporter: Reporter, threads: int) -> int:
    """``dive fit WORDS`` in a run folder; a run that has a checkpoint continues from it. Returns the exit code."""
    import torch

    from scripts.front.arguments import resolve
    from scripts.front.lightning_cli import launch
    from scripts.front.runs import RUN_DIR, path_of
    from scripts.front.working_directory import add_working_directory

    torch.set_num_threads(threads)
    recipe = words[0]
    if path_of(folder, "last").is_file():
        words = [recipe, "--run", str(folder), "--resume"]
    else:
        os.environ[RUN_DIR] = str(folder)
    sys.argv = ["dive", "fit", *words]
    try:
        add_working_directory()
        command = resolve("fit", words)
        command.callbacks.append(reporter)
        return launch(command)
    except Exception as error:
        text, code = " ".join(str(error).split()), getattr(error, "exit_code", None)
        if code is None:
            traceback.print_exc()
            text = f"{type(error).__name__}: {text}"
        print(f"dive: {text}", flush=True)
        reporter.pipe.send(("failed", text[:500]))
        return int(code or 1)


def check(configurations: list[list[str]], pipe: Connection) -> None:
    """Parses configurations as ``dive fit`` does; sends the first error and its configuration's number, or an empty
    text. In a new process.
    """
    from scripts.front.build import parse

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    found = 0, ""
    for number, words in enumerate(configurations):
        try:
            parse(words)
        except Exception as error:
            found = number, " ".join(str(error).split()) or type(error).__name__
            break
    pipe.send(found)


def last_line(log: Path) -> str:
    """The last line of a log that says something."""
    lines: list[Any] = log.read_text(errors="replace").split("\n") if log.is_file() else []
    return next((line.removeprefix("dive: ") for line in reversed(lines) if line.strip()), "no output")
