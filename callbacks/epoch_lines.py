"""One line per epoch where there is no terminal: log files of cluster jobs and of CI."""

import sys

from lightning.pytorch import Callback, LightningModule, Trainer


class EpochLines(Callback):
    """Prints ``epoch 3/30, step 165: train/loss 0.21  val/acc 0.95`` from rank 0, unless a progress bar can be shown.

    An epoch without a validation shows no ``val/`` metrics; metrics of a validation within the epoch show their step.
    """

    def __init__(self) -> None:
        self.validated: int | None = None  # the step of this epoch's last validation

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validated = trainer.global_step

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known = trainer.callback_metrics  # none of an epoch that ended before a resume
        if trainer.current_epoch and known and not sys.stderr.isatty() and trainer.is_global_zero:
            print(epoch_line(trainer, trainer.current_epoch, self.validated), flush=True)
        self.validated = None


def epoch_line(trainer: Trainer, epoch: int, validated: int | None) -> str:
    """The line of an epoch that has ended; ``validated`` is the step of its last validation."""
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if not k.endswith("_step")}
    if validated is None:
        metrics = {name: value for name, value in metrics.items() if not name.startswith("val/")}
    numbers = "  ".join(f"{name} {value:.4g}" for name, value in sorted(metrics.items()))
    of = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
    return f"epoch {epoch}{of}, step {trainer.global_step}: {numbers}{step_of(validated, trainer)}"


def step_of(validated: int | None, trainer: Trainer) -> str:
    """The step at which ``val/`` metrics were measured, as text; empty if that is the current step."""
    return f"  (validated at step {validated})" if validated not in (None, trainer.global_step) else ""
