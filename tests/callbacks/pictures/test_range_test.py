"""The range test: which rates it uses, when it ends, what it suggests, and that it leaves the weights alone."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from callbacks.pictures.range_test import RangeTest, smoothed, suggestions
from common.messages import UserError
from scripts.cli import main
from scripts.front.runs import newest_run
from tests.small import small_trainer


class Bowl(LightningModule):
    """w^2 times a half: a step of rate r leads from w to (1 - r) w, which diverges beyond a rate of 2."""

    def __init__(self, groups: bool = False) -> None:
        super().__init__()
        self.weight, self.other, self.groups = (
            torch.nn.Parameter(torch.ones(())),
            torch.nn.Parameter(torch.ones(())),
            groups,
        )

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return 0.5 * self.weight**2 + 0 * self.other

    def configure_optimizers(self) -> Any:
        second = {"params": [self.other], "lr": 0.01}
        optimizer = torch.optim.SGD([{"params": [self.weight]}, *([second] if self.groups else [])], lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1)}  # has no effect


def run(folder: Path, test: RangeTest, model: LightningModule) -> Any:
    trainer = small_trainer(folder, test, max_epochs=100)
    trainer.fit(model, DataLoader(TensorDataset(torch.zeros(7, 1)), batch_size=1))
    return trainer


def test_rates_grow_by_a_factor_over_all_groups_and_epochs_and_weights_come_back(tmp_path: Path) -> None:
    test, model = RangeTest(1e-4, 1e-2, num_steps=21), Bowl(groups=True)
    trainer = run(tmp_path, test, model)
    assert test.rates == pytest.approx([1e-4 * 10 ** (k / 10) for k in range(21)])
    first, second = (group["lr"] for group in trainer.optimizers[0].param_groups)
    assert second == pytest.approx(first / 10)  # as at first
    assert float(model.weight.detach()) == 1.0 and (tmp_path / "range_test.png").stat().st_size > 5000
    w, losses = 1.0, []
    for rate in test.rates:
        losses.append(w**2 / 2)
        w *= 1 - rate
    assert test.losses == pytest.approx(losses, rel=1e-5)


def test_it_ends_where_the_loss_grows(tmp_path: Path) -> None:
    test = RangeTest(0.1, 1e4, num_steps=200)
    trainer = run(tmp_path, test, Bowl())
    assert trainer.global_step < 120 and 2 < test.rates[-1] < 100 and (tmp_path / "range_test.png").is_file()


def test_losses_that_never_fell_are_drawn_without_a_suggestion() -> None:
    found = {"rates": [1e-3, 1e-2, 1e-1], "losses": [1.0, 2.0, 3.0]}
    figure = RangeTest().draw(Trainer(logger=False, enable_checkpointing=False, accelerator="cpu"), found)
    assert len(figure.axes[0].lines) == 1


def test_the_steepest_and_the_lowest_point() -> None:
    rates = [10.0**k for k in range(-5, 2)]
    found = suggestions(rates, [5.0, 4.9, 4.0, 2.0, 1.5, 3.0, 9.0])
    assert list(found.values()) == pytest.approx([1e-3, 1e-2])
    assert suggestions(rates, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) == {}  # it never fell
    noisy = [5.0, 3.0, *[4.0 - 0.001 * k for k in range(40)], 3.0, 2.0, 1.9, 9.0]  # the first means jump
    assert suggestions([10.0 ** (k / 10) for k in range(46)], noisy)["steepest"] >= 10**4.1
    assert smoothed([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])
    assert smoothed([0.0, 1.0])[1] == pytest.approx(0.1 / 0.19)


@pytest.mark.parametrize(
    ("arguments", "word"), [({"low": 0.0}, "low"), ({"low": 1.0, "high": 0.1}, "high"), ({"num_steps": 3}, "num_steps")]
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(UserError, match=f"RangeTest: .*{word}"):
        partial(RangeTest, **arguments)()


def test_the_preset_tests_a_recipe_and_leaves_no_checkpoint() -> None:
    words = ["--data.batch_size", "8", "--data.eval_batch_size", "8", "--trainer.accelerator", "cpu"]
    assert main(["fit", "cnn/lenet", "-c", "trainer/range_test", *words]) == 0
    run = newest_run("cnn/lenet")
    assert (run / "range_test.png").is_file() and not list(run.rglob("*.ckpt"))
