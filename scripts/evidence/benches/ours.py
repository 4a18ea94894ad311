"""Our recipe as ``dive fit`` runs it: its model, optimizer and batch size, the fast loader, the default callbacks.

Left out, since no other side has them: validation and checkpoints.
"""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from callbacks.metrics_csv import MetricsCSV
from callbacks.prepared_trainer import prepare
from datamodules.vision.images import ImageTensors
from scripts.evidence.benches.workloads import IMAGES, Clock, Workload, random_images
from scripts.front.arguments import DEFAULT, load_yaml
from scripts.front.build import build

CHECKPOINT = "callbacks.best_checkpoint.BestCheckpoint"


class RandomImages(ImageTensors):
    """The benchmark's images instead of the recipe's."""

    def __init__(
        self, rows: int, num_classes: int = 10, in_channels: int = 1, image_size: int = 28, **images: Any
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        self.rows = rows

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        images, labels = random_images(self.rows)
        return {"train": (images, labels), "val": (images[:2], labels[:2])}


class Ticks(Callback):
    """Moves the clock at the end of each batch."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.clock.tick(len(batch[-1]))


def train(work: Workload, clock: Clock, rows: int = IMAGES) -> None:
    data_class = f"{RandomImages.__module__}.{RandomImages.__name__}"
    _, model, data = build([work.recipe, "--data", data_class, "--data.rows", str(rows)])
    fit(model, data, clock)


def fit(model: Any, data: Any, clock: Any, callbacks: Iterable[Callback] = (), **more: Any) -> None:
    """Trains with the trainer of ``configs/default.yaml``, and more callbacks, until the clock (a ``Clock`` or what has
    its ``total`` and ``tick``) has its steps; ``more`` are the trainer's settings.
    """
    settings = load_yaml(DEFAULT)["trainer"]
    usual = [made(c) for c in settings.pop("callbacks") if c["class_path"] != CHECKPOINT]
    with TemporaryDirectory() as folder:
        settings |= {"accelerator": "cpu", "logger": MetricsCSV(folder), "default_root_dir": Path(folder)}
        settings |= {"limit_val_batches": 0, "max_steps": clock.total, "max_epochs": -1, **more}
        trainer = Trainer(**settings, callbacks=[*usual, *callbacks, Ticks(clock)])
        prepare(trainer)  # as scripts/front/lightning_cli.py does
        trainer.fit(model, data)


def made(part: dict[str, Any]) -> Any:
    """The object that a ``class_path`` with ``init_args`` describes."""
    module, _, name = part["class_path"].rpartition(".")
    return getattr(import_module(module), name)(**part.get("init_args", {}))
