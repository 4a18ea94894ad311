"""One line an epoch where there is no terminal: log files of cluster jobs and of CI."""

import sys

from lightning.pytorch import Callback, LightningModule, Trainer


class EpochLines(Callback):
    """Prints ``epoch 3/30 step 165: train/loss 0.21 val/acc 0.95`` from rank 0, unless a progress bar can be shown."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch and not sys.stderr.isatty() and trainer.is_global_zero:
            print(epoch_line(trainer, trainer.current_epoch), flush=True)


def epoch_line(trainer: Trainer, epoch: int) -> str:
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if not k.endswith("_step")}
    numbers = "  ".join(f"{name} {value:.4g}" for name, value in sorted(metrics.items()))
    of = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
    return f"epoch {epoch}{of}, step {trainer.global_step}: {numbers}"
