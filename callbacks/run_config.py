"""``config.yaml`` of a run: written when training begins, and not before.

A ``--resume`` that is refused, or fails while the checkpoint is restored, then leaves the run's config as it was: test,
predict, export and the next resume go by it.
"""

import os
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer


class RunConfig(Callback):
    """Writes a text to ``config.yaml`` of the run folder (``trainer.default_root_dir``).

    Args:
        text: The resolved config; the command line supplies it.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        path = Path(trainer.default_root_dir) / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(self.text)
        os.replace(temporary, path)
