"""What Weights & Biases gets besides the metrics: the whole config, the version of the code, the best checkpoint.

Pictures go there through ``callbacks/pictures/figures.py``. Everything works offline (``WANDB_MODE=offline``, later
``wandb sync``). A resumed run keeps its id, which is in ``wandb.json`` of the run's folder.
"""

from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger

from callbacks.run_record import commit, versions


class WandbRun(Callback):
    """Uploads config and versions when training starts, and ``best.ckpt`` as an artifact when it ends.

    Args:
        checkpoint: False uploads no weights.
    """

    def __init__(self, checkpoint: bool = True) -> None:
        self.checkpoint = checkpoint

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        config = Path(trainer.default_root_dir) / "config.yaml"
        for run in runs(trainer):
            facts = {"commit": commit(), "versions": versions()}
            if config.is_file():
                facts |= yaml.safe_load(config.read_text())
            run.config.update(facts, allow_val_change=True)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        best = Path(trainer.default_root_dir) / "checkpoints" / "best.ckpt"
        for run in runs(trainer) if self.checkpoint and best.exists() else []:
            import wandb

            artifact = wandb.Artifact(f"best-{run.id}", type="model", metadata={"step": trainer.global_step})
            if best.is_dir():
                artifact.add_dir(str(best))
            else:
                artifact.add_file(str(best))
            run.log_artifact(artifact, aliases=["best", "latest"])

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Closes the run, so that the next fit in this process begins another one."""
        for run in runs(trainer):
            run.finish()


def runs(trainer: Trainer) -> list[Any]:
    """The W&B runs of the first process."""
    if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, WandbLogger)]
