"""What all tasks share: the epoch's loss, parameter groups, schedules."""

from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, ReduceLROnPlateau

from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d
from tests.small import Points, SmallNet, small_trainer


class Losses(Callback):
    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        self.values.append(float(outputs["loss"]) * len(batch[0]))


def test_train_loss_is_the_mean_over_all_samples_of_the_epoch(tmp_path: Path) -> None:
    losses = Losses()
    trainer = small_trainer(tmp_path, losses, max_epochs=1)
    trainer.fit(SmallNet(), datamodule=Points(rows=45))  # 45 rows: the last batch of 12 has 9
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(sum(losses.values) / 45, rel=1e-6)


def test_single_steps_are_logged_only_where_they_are_recorded(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, log_every_n_steps=3, max_epochs=1)
    trainer.fit(SmallNet(), datamodule=Points())
    assert "train/loss_step" in trainer.callback_metrics
    trainer = small_trainer(tmp_path, log_every_n_steps=5, max_epochs=1)
    trainer.fit(SmallNet(), datamodule=Points())
    assert "train/loss_step" not in trainer.callback_metrics


def test_biases_are_exempt_from_decay_where_asked() -> None:
    model = SmallNet(decay_biases=False, optimizer=partial(torch.optim.SGD, lr=0.1, weight_decay=0.5))
    optimizer = model.configure_optimizers()
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decay[id(p)] for name, p in model.named_parameters()} == {
        "net.0.weight": 0.5, "net.0.bias": 0.0, "net.3.weight": 0.5, "net.3.bias": 0.0
    }  # fmt: skip


def test_biases_of_each_position_or_tile_are_exempt_from_decay_too() -> None:
    model = SmallNet(decay_biases=False)
    model.net = nn.Sequential(UnsharedConv2d(1, 2, 4, 3), TiledConv2d(2, 2, 2), nn.Linear(2, 3))
    names = {id(p): name for name, p in model.net.named_parameters()}
    groups = [[names[id(p)] for p in group["params"]] for group in model.parameter_groups()]
    assert groups == [["0.weight", "1.weight", "2.weight"], ["0.bias", "1.bias", "2.bias"]]


@pytest.mark.parametrize(("interval", "rate"), [("epoch", 0.1 * 0.5**2), ("step", 0.1 * 0.5**8)])
def test_the_schedule_moves_by_epoch_or_by_step(interval: str, rate: float, tmp_path: Path) -> None:
    schedule = partial(ExponentialLR, gamma=0.5)
    model = SmallNet(lr_scheduler=schedule, lr_interval=interval)
    trainer = small_trainer(tmp_path)
    trainer.fit(model, datamodule=Points())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(rate)


def test_plateau_schedule_watches_the_validation_loss(tmp_path: Path) -> None:
    model = SmallNet(lr_scheduler=partial(ReduceLROnPlateau, patience=0, threshold=1e9, factor=0.1))
    trainer = small_trainer(tmp_path, max_epochs=3)
    trainer.fit(model, datamodule=Points())
    assert trainer.optimizers[0].param_groups[0]["lr"] < 0.1


def test_hyperparameters_are_plain_and_of_both_levels() -> None:
    assert dict(SmallNet(dropout=0.3).hparams) == {
        "num_classes": 3, "dropout": 0.3, "lr": 0.1, "label_smoothing": 0.0,
        "weights": "", "weights_from": "auto", "lr_interval": "epoch", "lr_monitor": "val/loss", "decay_biases": True,
    }  # fmt: skip


def test_frozen_parameters_are_not_given_to_the_optimizer() -> None:
    model = SmallNet()
    model.net[0].requires_grad_(False)
    (group,) = model.parameter_groups()
    assert {id(p) for p in group["params"]} == {id(p) for p in model.net[3].parameters()}


def test_weights_are_read_once_and_not_over_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net.pt"
    torch.save(SmallNet().net.state_dict(), file)
    read: list[SmallNet] = []
    monkeypatch.setattr(SmallNet, "take_weights", lambda self: read.append(self))
    model, trainer = SmallNet(weights=str(file)), small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=Points())
    trainer.test(model, datamodule=Points(), verbose=False)
    assert read == [model]
    trainer.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    resumed = small_trainer(tmp_path, max_epochs=2)
    resumed.fit(SmallNet(weights=str(file)), datamodule=Points(), ckpt_path=tmp_path / "a.ckpt")
    assert read == [model]


def test_a_model_that_was_validated_can_be_trained(tmp_path: Path) -> None:
    model, trainer = SmallNet(), small_trainer(tmp_path, max_epochs=1)
    trainer.validate(model, datamodule=Points(), verbose=False)
    trainer.fit(model, datamodule=Points())
    assert float(model.val_acc.compute()) >= 0
    assert int(model.val_loss.weight) in (0, 10), "rows of the earlier validation are counted"


def test_the_loss_of_an_epoch_is_logged_on_the_models_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning reduces it over the processes; NCCL takes nothing from the CPU."""
    model, devices = SmallNet(), {}
    model._device = torch.device("meta")
    monkeypatch.setattr(model, "log", lambda name, value, **_: devices.update({name: value.device.type}))
    monkeypatch.setattr(model.epoch_loss, "compute", lambda *_: torch.tensor(1.0))
    model.on_train_epoch_end()
    assert devices["train/loss"] == "meta"
