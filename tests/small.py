"""A classifier and data small enough for any test: 48 points of three classes in the plane, four batches an epoch."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn

from datamodules.base import TensorDataModule
from lit_models.tasks.classifier import Classifier


class Points(TensorDataModule):
    """Three classes around three corners; training batches get noise, so that the random state matters."""

    def __init__(self, batch_size: int = 12, num_classes: int = 3, rows: int = 48, noise: float = 0.1) -> None:
        super().__init__(batch_size=batch_size)
        self.num_classes, self.rows, self.noise = num_classes, rows, noise
        self.class_names = ["left", "right", "top"]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(self.rows) % 3
        corners = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
        x = corners[y] + 0.2 * torch.randn(self.rows, 2, generator=generator)
        return {"train": (x, y), "val": (x[:10], y[:10]), "test": (x[:11], y[:11]), "predict": (x[:11],)}

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (batch[0] + self.noise * torch.randn_like(batch[0]), *batch[1:])


class SmallNet(Classifier):
    """Two layers with dropout between."""

    def __init__(self, num_classes: int = 3, dropout: float = 0.2, lr: float = 0.1, **task: Any) -> None:
        task.setdefault("optimizer", partial(torch.optim.Adam, lr=lr))
        super().__init__(num_classes=num_classes, **task)
        self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, num_classes))


def small_trainer(folder: Path, *callbacks: Callback, **settings: Any) -> Trainer:
    """A quiet trainer on the CPU that writes nothing but what its callbacks write."""
    defaults: dict[str, Any] = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        "accelerator": "cpu",
        "max_epochs": 2,
        "log_every_n_steps": 2,
    }
    return Trainer(default_root_dir=folder, callbacks=list(callbacks), **(defaults | settings))
