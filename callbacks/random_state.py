"""Saves the random states of every rank with a checkpoint, so that a resumed run draws the same numbers as without the
interruption.

Lightning saves none of them. Dropout, augmentation and sampling depend on them; the loader's order does not (it is a
function of seed and epoch). The states are restored after each validation, so that sampling there does not change the
numbers that training draws.

All ranks build the model from one seed. From the start of training each rank draws different numbers: with the same
ones, dropout and augmentation would do the same to every rank's part of a batch.
"""

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.ranks import gather


class RandomState(Callback):
    """Python, NumPy, torch and CUDA generators: gathered on save, restored at the start of a resumed fit."""

    def __init__(self) -> None:
        self.loaded: list[dict[str, Any]] | None = None
        self.before_validation: dict[str, Any] | None = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["random_state"] = gather(trainer, get_random_state())

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.loaded = checkpoint.get("random_state")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.loaded and len(self.loaded) == trainer.world_size:
            set_random_state(self.loaded[trainer.global_rank])
        elif trainer.global_rank:
            seed = torch.initial_seed() + trainer.global_rank
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
        self.loaded = None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.before_validation = get_random_state()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.before_validation is not None:
            set_random_state(self.before_validation)
            self.before_validation = None


def get_random_state() -> dict[str, Any]:
    """All generators' states as plain values and tensors, which ``torch.load(weights_only=True)`` reads."""
    version, numbers, gauss = random.getstate()
    kind, key, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [str(kind), torch.from_numpy(np.asarray(key).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() and torch.cuda.is_initialized() else None,
    }


def set_random_state(state: dict[str, Any]) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, key, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, key.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
