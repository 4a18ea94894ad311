"""A closure computed again: the missing one is refused, random numbers are the same, a run records each batch once."""

from functools import partial
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from lit_models.optimization.closures import SameBatch
from lit_models.optimization.sam import SAM
from tests.small import Points, SmallNet, small_trainer


def test_a_missing_closure_is_one_line() -> None:
    with pytest.raises(UserError, match="SAM computes the loss several times"):
        SameBatch(None, "SAM")


def test_calls_have_the_same_random_numbers() -> None:
    torch.manual_seed(3)
    again = SameBatch(lambda: torch.rand(2), "SAM")
    first, second = again(), again()
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(first, second) and torch.equal(first, torch.rand(2)) and torch.equal(after, torch.rand(2))
    assert again.calls == 2


def test_a_step_is_one_global_step_and_its_first_loss_is_recorded(tmp_path: Path) -> None:
    losses: list[float] = []

    class Watched(SmallNet):
        def training_step(self, batch, batch_idx):  # type: ignore[no-untyped-def]
            loss = super().training_step(batch, batch_idx)
            losses.append(float(loss.detach()))
            return loss

    trainer = small_trainer(tmp_path, max_epochs=1)
    base = partial(torch.optim.Adam, lr=0.05)
    trainer.fit(Watched(optimizer=partial(SAM, base=base, radius=0.5)), datamodule=Points())
    assert trainer.global_step == 4 and len(losses) == 8
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(sum(losses[::2]) / 4, rel=1e-6)


def test_a_run_that_accumulates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="accumulate_grad_batches is 2"):
        small_trainer(tmp_path, accumulate_grad_batches=2).fit(SmallNet(optimizer=SAM), datamodule=Points())
