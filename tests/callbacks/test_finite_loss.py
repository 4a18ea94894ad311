"""A loss that is not a number ends the run at its step, and no checkpoint is written over the last good one."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from callbacks.finite_loss import FiniteLoss, NotFinite
from tests.small import Points, SmallNet, small_trainer


class Ruined(SmallNet):
    """Its loss becomes ``value`` at step ``at``; ``gradient`` instead leaves the loss finite and ruins the weights."""

    def __init__(self, at: int, value: float = float("nan"), gradient: bool = False) -> None:
        super().__init__()
        self.at, self.value, self.gradient = at, value, gradient

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        if self.global_step != self.at:
            return loss
        weight = next(self.parameters())
        if self.gradient:
            return loss + (weight.sum() * 0).sqrt().nan_to_num(0.0)  # the derivative of the root at 0 is infinite
        return loss + self.value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_the_step_and_the_value_are_named(value: float, tmp_path: Path) -> None:
    with pytest.raises(NotFinite, match=rf"loss is {value} at step 4"):
        small_trainer(tmp_path, FiniteLoss(), max_epochs=9).fit(Ruined(3, value), datamodule=Points())


def test_it_ends_with_exit_code_1() -> None:
    assert NotFinite.exit_code == 1


@pytest.mark.parametrize("gradient", [False, True])
def test_no_checkpoint_holds_what_is_not_finite(gradient: bool, tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1, save_top_k=0)
    trainer = small_trainer(tmp_path, FiniteLoss(), save, enable_checkpointing=True, max_epochs=9, log_every_n_steps=50)
    with pytest.raises(NotFinite):
        trainer.fit(Ruined(5, gradient=gradient), datamodule=Points())
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 5
    assert all(bool(value.isfinite().all()) for value in saved["state_dict"].values())


def test_a_finite_run_goes_through(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, FiniteLoss())
    trainer.fit(SmallNet(), datamodule=Points())
    assert trainer.global_step == 8
