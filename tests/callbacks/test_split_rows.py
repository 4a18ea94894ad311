"""The rows of a run: drawn again, all of them, or some without their class; the same after a resume."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping

from callbacks.split_rows import AllRows, Bootstrap, FewLabels, SplitRows
from common.messages import UserError


def splits(rows: int = 100, y: Any = None) -> dict[str, tuple[torch.Tensor, ...]]:
    y = torch.arange(rows) % 10 if y is None else y
    return {"train": (torch.arange(float(rows)), y), "val": (torch.tensor([-1.0, -2.0]), torch.tensor([3, 4]))}


def changed(callback: SplitRows, found: dict[str, Any], stage: str = "fit") -> dict[str, Any]:
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(splits=found), callback_metrics={}, should_stop=False)
    trainer.callbacks = [EarlyStopping("val/loss"), callback]
    callback.setup(trainer, None, stage)  # type: ignore[arg-type]
    return found


def test_a_bootstrap_sample_repeats_rows_with_their_targets_and_its_seed_decides_it() -> None:
    x, y = changed(Bootstrap(1), splits(1000))["train"]
    assert len(x) == 1000 and 600 < len(x.unique()) < 665 and torch.equal(x.long() % 10, y)
    assert torch.equal(x, changed(Bootstrap(1), splits(1000))["train"][0])
    assert not torch.equal(x, changed(Bootstrap(2), splits(1000))["train"][0])


def test_all_rows_are_the_training_rows_and_then_the_validation_rows_once() -> None:
    callback, found = AllRows(), splits()
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(splits=splits()), callbacks=[EarlyStopping("val/loss")])
    AllRows().setup(trainer, None, "fit")  # type: ignore[arg-type]
    assert trainer.callbacks == []  # the validation rows are trained on
    for _ in range(2):  # Lightning may call it again
        changed(callback, found)
    assert found["train"][0].tolist() == [*range(100), -1, -2] and found["train"][1][-2:].tolist() == [3, 4]
    assert len(found["val"][0]) == 2
    assert len(changed(AllRows(), splits(), "test")["train"][0]) == 100


@pytest.mark.parametrize(("loss", "stops"), [(0.6, False), (0.5, True), (0.4, True)])
def test_training_with_all_rows_ends_where_the_loss_is_not_above_the_goal(loss: float, stops: bool) -> None:
    trainer: Any = SimpleNamespace(callback_metrics={"val/loss": torch.tensor(loss)}, should_stop=False)
    AllRows(below=0.5).on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert trainer.should_stop is stops
    AllRows().on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="does not log val/other"):
        AllRows(below=0.5, monitor="val/other").on_train_epoch_end(trainer, None)  # type: ignore[arg-type]


def test_as_many_of_each_class_keep_it() -> None:
    x, y = changed(FewLabels(25), splits())["train"]
    shown = y[y >= 0]
    assert len(shown) == 25 and sorted(shown.bincount().tolist()) == [2] * 5 + [3] * 5
    assert torch.equal(y[y >= 0], (x[y >= 0].long() % 10))
    assert not torch.equal(y, changed(FewLabels(25, seed=1), splits())["train"][1])


def test_what_it_cannot_do_is_one_line() -> None:
    with pytest.raises(UserError, match="labels is 0"):
        FewLabels(0)
    with pytest.raises(UserError, match="labels is 101, and there are 100"):
        changed(FewLabels(101), splits())
    with pytest.raises(UserError, match="needs classes as targets"):
        changed(FewLabels(5), splits(y=torch.rand(100)))
    with pytest.raises(UserError, match="below is -1"):
        AllRows(below=-1)
    with pytest.raises(
        UserError, match="Bootstrap needs data with its rows in memory: take `dive ensemble --kind seeds`"
    ):
        changed(Bootstrap(), {})
