"""``dive profile RECIPE [--steps N] [--key value]``: where the time of a training step goes, and a Chrome trace.

Some steps of the recipe run under torch's profiler, after a few that warm up; nothing is saved but the trace, in
``runs/profiles/RECIPE``. The first table has the shares of loading, the two passes, the optimizer, callbacks and
logging; the second the ten operators that take the longest by themselves (on a GPU by the GPU's time). The profiler's
own cost is in both, and on a GPU that each action waits for its work: for speed use `dive bench`. Open the trace at
chrome://tracing or ui.perfetto.dev.

    dive profile cnn/lenet
    dive profile attention/gpt --steps 5 -c trainer/bf16
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.profilers import SimpleProfiler
from torch.profiler import ProfilerActivity, profile

from callbacks.pictures.picture import Picture
from callbacks.prediction_files import PredictionFiles
from callbacks.run_config import RunConfig
from callbacks.run_record import RunRecord
from common.messages import UserError
from scripts.front.arguments import resolve
from scripts.front.lightning_cli import DiveCLI
from scripts.front.option_parser import OptionParser
from scripts.front.runs import runs_root

#: Lightning's names of what it does in a step, by the share that they count to; the first that is found in a name.
SHARES = {
    "loading": ("train_dataloader_next", "batch_to_device", "batch_transfer", "transfer_batch"),
    "forward": (".training_step",),
    "backward": (".backward",),
    "optimizer": (".optimizer_step", ".optimizer_zero_grad", "gradient_clipping"),
    "callbacks and logging": ("[Callback]", "logger", "on_train_batch"),
}
WARMUP = 5
WRITES = (Checkpoint, RunRecord, RunConfig, Picture, PredictionFiles)  # into the run's folder


class Timings(SimpleProfiler):
    """Lightning's profiler of actions; an action on a GPU ends when the GPU has done what the action asked for."""

    def start(self, action_name: str) -> None:
        wait_for_gpu()
        super().start(action_name)

    def stop(self, action_name: str) -> None:
        wait_for_gpu()
        super().stop(action_name)


def wait_for_gpu() -> None:
    """Until the GPU has done its work, in a process that uses one."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


class Window(Callback):
    """Runs torch's profiler from the end of the warm-up to the end of the run, and forgets what was timed before.

    Args:
        timings: Lightning's profiler of actions.
    """

    def __init__(self, timings: SimpleProfiler) -> None:
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])
        self.profiler, self.timings = profile(activities=activities), timings
        self.running = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step >= WARMUP and not self.running:
            self.timings.recorded_durations.clear()
            self.profiler.start()
            self.running = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.running:
            self.profiler.stop()


def shares(durations: dict[str, list[float]]) -> dict[str, float]:
    """Seconds of each share of the steps, and of what remains, from the durations of Lightning's actions."""
    found = dict.fromkeys(SHARES, 0.0)
    for action, seconds in durations.items():
        owner = next((name for name, marks in SHARES.items() if any(mark in action for mark in marks)), None)
        if owner is None or (action.startswith("[LightningModule]") and owner not in ("optimizer", "loading")):
            continue  # the module's hooks are inside of the strategy's
        found[owner] += sum(seconds)
    found["optimizer"] = max(0.0, found["optimizer"] - found["forward"] - found["backward"])  # its closure has both
    whole = sum(durations.get("run_training_batch", [])) + found["loading"] + found["callbacks and logging"]
    return found | {"the rest": max(0.0, whole - sum(found.values()))}


def share_lines(found: dict[str, float], steps: int) -> list[str]:
    """The first table."""
    whole = sum(found.values()) or 1.0
    lines = [f"{'a step':<24}{1000 * whole / steps:>9.2f} ms"]
    return lines + [f"  {k:<22}{1000 * v / steps:>9.2f} ms{100 * v / whole:>6.0f} %" for k, v in found.items()]


def operator_lines(profiler: Any, steps: int, count: int = 10) -> list[str]:
    """The second table: operators by their own time."""
    events = profiler.key_averages()
    on_device = any(event.self_device_time_total for event in events)

    def own(event: Any) -> float:
        return float(event.self_device_time_total if on_device else event.self_cpu_time_total)

    whole = sum(map(own, events)) or 1.0
    lines = [f"{'operator':<44}{'calls/step':>12}{'ms/step':>11}{'share':>8}"]
    for event in sorted(events, key=own, reverse=True)[:count]:
        calls, mine = event.count / steps, own(event)
        lines.append(f"{event.key[:43]:<44}{calls:>12.1f}{mine / 1000 / steps:>11.3f}{100 * mine / whole:>6.0f} %")
    return lines


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """What a trainer without a run folder writes goes there."""
    before = Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def run(words: list[str], steps: int) -> list[str]:
    """Profiles a recipe; returns the lines to print."""
    last = WARMUP + steps
    command = resolve("fit", [*words, "--trainer.max_steps", str(last), "--trainer.limit_val_batches", "0"])
    folder = (runs_root() / "profiles" / command.recipe).resolve()
    command.verb, command.recipe = "", ""  # build, make no run
    timings, argv = Timings(), sys.argv[:]
    with working_in(folder):
        try:
            sys.argv[1:] = [*command.args, "--trainer.default_root_dir", str(folder)]
            cli = DiveCLI(command, run=False)
        finally:
            sys.argv[:] = argv
        window = Window(timings)
        trainer: Any = cli.trainer
        if trainer.world_size > 1:
            raise UserError("dive profile measures one process: --trainer.devices 1")
        trainer.callbacks = [c for c in trainer.callbacks if not isinstance(c, WRITES)] + [window]
        trainer.profiler = timings
        with contextlib.redirect_stdout(sys.stderr):
            trainer.fit(cli.model, datamodule=cli.datamodule)
    done = trainer.global_step - WARMUP
    if done < 1:
        raise UserError(
            f"the recipe makes {trainer.global_step} steps, of which {WARMUP} warm up: more --trainer.max_epochs"
        )
    trace = folder / "trace.json"
    window.profiler.export_chrome_trace(str(trace))
    shown = share_lines(shares(timings.recorded_durations), done)
    return [*shown, "", *operator_lines(window.profiler, done), "", f"{done} steps; trace: {trace}"]


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    parser = OptionParser(prog="dive profile", add_help=False)
    parser.add_argument("--steps", type=int, default=20)
    options, words = parser.parse_known_args(argv)
    if not any(not word.startswith("-") for word in words[:1]):
        raise UserError("which recipe? `dive profile RECIPE`, for example `dive profile cnn/lenet`")
    if options.steps < 1:
        raise UserError(f"--steps is {options.steps}: give a whole number of at least 1")
    print("\n".join(run(words, options.steps)))
    return 0
