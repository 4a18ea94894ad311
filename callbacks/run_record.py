"""``run.json`` and ``processor.json``: a run's settings and results, and what its model needs in use."""

import json
import os
import platform
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.epoch_lines import step_of
from callbacks.metrics_csv import MetricsCSV
from callbacks.steps import logged_steps
from callbacks.throughput import Throughput
from common.data_protocol import data_attribute
from common.messages import note


class RunRecord(Callback):
    """Keeps ``run.json`` of the run folder (``trainer.default_root_dir``) up to date.

    It holds: recipe, command, commit, versions, seed, device, number of parameters, status (running, finished, stopped,
    failed), seconds of training over all resumes (wall-clock and CPU), samples per second and the
    latest metrics. For a resumed run this callback also tells metrics.csv which rows to drop.

    Args:
        recipe: Name of the recipe; the command line fills it in.
        command: The command as typed; the command line fills it in.
    """

    def __init__(self, recipe: str = "", command: str = "") -> None:
        self.recipe = recipe
        self.command = command
        self.seconds = 0.0
        self.cpu_seconds = 0.0  # of all threads of the first process: independent of other load on the machine
        self.started = 0.0
        self.cpu_started = 0.0
        self.logged: dict[str, Any] = {}  # before the end of the epoch
        self.row: dict[str, float] = {}
        self.validated: int | None = None  # the step of the last validation of this fit
        self.began = self.finished = False  # training, in this fit

    def state_dict(self) -> dict[str, Any]:
        wall = time.monotonic() - self.started if self.started else 0.0
        cpu = time.process_time() - self.cpu_started if self.started else 0.0
        return {"seconds": self.seconds + wall, "cpu_seconds": self.cpu_seconds + cpu}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds, self.cpu_seconds = state_dict["seconds"], state_dict.get("cpu_seconds", 0.0)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.began = self.began and stage != "fit"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.started, self.cpu_started = time.monotonic(), time.process_time()
        self.validated, self.began, self.finished = None, True, False
        for logger in trainer.loggers:  # also at step 0: a job that was requeued before its first save left rows
            if isinstance(logger, MetricsCSV):
                logger.resume_at(logged_steps(trainer), self.row)
        processor: dict[str, Any] = data_attribute(trainer, "processor", dict)()
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            path = Path(trainer.default_root_dir) / "processor.json"
            if processor and not (trainer.ckpt_path and path.is_file()):  # a run's weights are of its own vocabulary
                write_json(path, processor)
            self.write(trainer, pl_module, status="running")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:
            self.logged = dict(trainer.logged_metrics)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Saves the epoch's row: Lightning writes it after the checkpoint, and a kill in between must not lose it."""
        epochs: Any = trainer.fit_loop.epoch_progress.current
        if trainer.training and epochs.processed > epochs.completed:
            new = {k: v for k, v in trainer.logged_metrics.items() if self.logged.get(k) is not v}
            row = {name: float(value) for name, value in new.items() if not name.endswith("_step")}
            checkpoint["epoch_row"] = row | {"epoch": trainer.current_epoch}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.row = checkpoint.get("epoch_row", {})
        if trainer.state.fn != "fit":  # a test belongs to the step of its weights; Lightning would log it at step 0
            loops: dict[str, Any] = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_loop.state_dict", {})
            trainer.fit_loop.epoch_loop._batches_that_stepped = loops.get("_batches_that_stepped", 0)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.load_state_dict(self.state_dict())
        self.started = 0.0

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.began and trainer.ckpt_path:
            note(
                f"{trainer.default_root_dir} is done: epoch {trainer.current_epoch} of {trainer.max_epochs}, step "
                f"{trainer.global_step}. A larger --trainer.max_epochs (or --trainer.max_steps) continues it"
            )
            return
        self.write(trainer, pl_module, status="finished", report=True)
        self.finished = True

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if trainer.state.fn != "fit" or self.finished or not self.began:
            return  # what came after the fit does not undo it, and a refused command leaves the run as it was
        stopped = isinstance(exception, SystemExit | KeyboardInterrupt)
        self.write(trainer, pl_module, status="stopped" if stopped else "failed")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.logged = dict(trainer.logged_metrics)
        if trainer.state.fn == "fit":
            self.validated = trainer.global_step
        elif not trainer.sanity_checking:
            self.write(trainer, pl_module, report=True)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.write(trainer, pl_module, report=True)

    def write(self, trainer: Trainer, pl_module: LightningModule, report: bool = False, **facts: Any) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        path = Path(trainer.default_root_dir) / "run.json"
        old = json.loads(path.read_text()) if path.is_file() else {}
        if trainer.state.fn == "fit":
            rate = next((c.rate for c in trainer.callbacks if isinstance(c, Throughput)), None)  # type: ignore[attr-defined]
            old |= {
                "recipe": self.recipe,
                "command": self.command,
                "commit": commit(),
                "versions": versions(),
                "seed": int(os.environ.get("PL_GLOBAL_SEED", 0)),
                "device": device_name(trainer),
                "processes": trainer.world_size,
                "precision": str(trainer.precision),
                "parameters": sum(p.numel() for p in pl_module.parameters()),
                "step": trainer.global_step,
                "epochs": trainer.current_epoch,
                **{name: round(value, 2) for name, value in self.state_dict().items()},
                "samples_per_second": rate and round(rate, 1),
            }
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        old["metrics"] = old.get("metrics", {}) | metrics
        write_json(path, old | facts)
        if report:
            fitted = trainer.state.fn == "fit"
            tell(trainer, metrics, old, step_of(self.validated, trainer) if fitted else rows_of(trainer))
            empty = any(getattr(c, "trains_nothing", False) for c in trainer.callbacks)  # type: ignore[attr-defined]
            if fitted and self.command and not empty:
                print(f"  {how_to_test(self.recipe, trainer.default_root_dir)}")


def tell(trainer: Trainer, metrics: dict[str, float], record: dict[str, Any], when: str = "") -> None:
    """Prints the last lines of a command: the metrics, the speed, and the files of the run."""
    folder = Path(trainer.default_root_dir)
    numbers = "  ".join(
        f"{name} {value:.4f}" for name, value in sorted(metrics.items()) if not name.startswith("time/")
    )
    print(numbers + when)
    if record.get("samples_per_second"):  # of the training, also after a test
        print(
            f"{record['samples_per_second']:,.0f} samples/s, "
            f"{record['seconds']:.1f} s of training on {record['device']}"
        )
    for name in ("curves.png", "confusion.png", "checkpoints/best.ckpt"):
        if (folder / name).is_file():
            print(f"  {folder / name}")


def how_to_test(recipe: str, folder: str) -> str:
    """The command that tests this run and no other one."""
    name = "" if recipe.startswith("own/") else f"{recipe} "  # of a file of one's own, which may lie anywhere
    return f"dive test {name}--run {shlex.quote(folder)}"


def rows_of(trainer: Trainer) -> str:
    """How many rows were validated or tested, where that was the whole split and the split is in memory."""
    split, limit = ("test", trainer.limit_test_batches) if trainer.testing else ("val", trainer.limit_val_batches)
    tensors = data_attribute(trainer, "splits", {}).get(split)
    return f"  ({len(tensors[0]):,} rows)" if tensors and limit == 1.0 and isinstance(limit, float) else ""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes to a temporary file and renames it, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    os.replace(temporary, path)


def commit() -> str | None:
    """The commit of the code, with a plus where files differ from it; None outside of a repository."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True)
        if head.returncode:
            return None
        changes = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True)
        return head.stdout.strip() + ("+" if changes.stdout.strip() else "")
    except OSError:
        return None


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": str(torch.__version__), "lightning": lightning.__version__}


def device_name(trainer: Trainer) -> str:
    device = trainer.strategy.root_device
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}"
    return f"{device.type}, {torch.get_num_threads()} threads"
