"""The recipe mlp/early_stopping: patience counts epochs without a new lowest loss; held-out data is what it needs."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from tests.small import Points, SmallNet, small_trainer


class Told(SmallNet):
    """A network whose validation losses are given beforehand."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.losses = losses

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", torch.tensor(self.losses[min(self.current_epoch, len(self.losses) - 1)]))


@pytest.mark.parametrize(
    ("losses", "patience", "epochs"),
    [
        ([3, 2, 1, 2, 2, 2], 2, 5),  # two epochs after the lowest
        ([3, 2, 1, 2, 0, 2, 2], 2, 7),  # a new lowest in time begins the count anew
        ([3, 3, 3, 3], 3, 4),  # as low as before is no new lowest
        ([9, 8, 7, 6, 5, 4, 3, 2], 1, 8),  # it falls to the end
    ],
)
def test_training_stops_after_so_many_epochs_without_a_new_lowest_loss(
    tmp_path: Path, losses: list[float], patience: int, epochs: int
) -> None:
    trainer = small_trainer(tmp_path, EarlyStopping("val/loss", patience=patience), max_epochs=8)
    trainer.fit(Told([float(loss) for loss in losses]), datamodule=Points())
    assert trainer.current_epoch == epochs


def stopped(**data: Any) -> Trainer:
    """Points of which all labels are drawn at random, learned by heart or stopped before."""

    class Drawn(Points):
        def load(self, stage: str) -> dict[str, tuple[torch.Tensor, ...]]:
            generator = torch.Generator().manual_seed(0)
            x = torch.randn(96, 2, generator=generator)
            y = torch.randint(0, 3, (96,), generator=generator)
            held = (x[48:], y[48:]) if data["hold_out"] else (x[:48], y[:48])
            return {"train": (x[:48], y[:48]), "val": held, "test": held}

    trainer = small_trainer(Path("."), EarlyStopping("val/loss", patience=5), max_epochs=60)
    model: LightningModule = SmallNet(dropout=0.0, lr=0.02)
    trainer.fit(model, datamodule=Drawn(noise=0.0))
    return trainer


def test_labels_that_say_nothing_are_given_up_on_held_out_rows_and_learned_on_without() -> None:
    with_held, without = stopped(hold_out=True), stopped(hold_out=False)
    assert with_held.current_epoch < 20 < without.current_epoch
    assert without.callback_metrics["train/loss"] < with_held.callback_metrics["train/loss"]
