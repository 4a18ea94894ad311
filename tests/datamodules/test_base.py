"""The loader and its datamodule: order, position in the epoch, division among ranks, errors."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule, TensorLoader
from tests.small import Points, SmallNet, small_trainer


def epoch(loader: TensorLoader, number: int = 0) -> list[int]:
    loader.set_epoch(number)
    return [int(v) for (batch,) in itertools.islice(loader, len(loader)) for v in batch]


def loader(n: int = 103, shuffle: bool = True, **settings: int) -> TensorLoader:
    return TensorLoader((torch.arange(n),), 10, shuffle, **settings)


def test_an_epoch_visits_every_row_once_in_a_new_order() -> None:
    data = loader()
    first, second = epoch(data, 0), epoch(data, 1)
    assert sorted(first) == sorted(second) == list(range(103))
    assert first != second


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert epoch(loader(seed=1), 5) == epoch(loader(seed=1), 5)
    assert epoch(loader(seed=1), 5) != epoch(loader(seed=2), 5)


def test_training_ranks_get_equal_batches_and_share_no_row() -> None:
    ranks = [epoch(loader(world=4, rank=rank)) for rank in range(4)]
    assert {len(rows) for rows in ranks} == {103 // 4}
    assert len(set(itertools.chain(*ranks))) == 100


def test_the_ranks_batches_together_are_the_single_processes_batch() -> None:
    whole = list(TensorLoader((torch.arange(64),), 16, True))
    parts = [list(TensorLoader((torch.arange(64),), 8, True, rank=rank, world=2)) for rank in range(2)]
    for k, (batch,) in enumerate(whole):
        assert sorted(batch.tolist()) == sorted(parts[0][k][0].tolist() + parts[1][k][0].tolist())


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_evaluation_visits_every_row_exactly_once_over_all_ranks(world: int) -> None:
    rows = [row for rank in range(world) for row in epoch(loader(shuffle=False, world=world, rank=rank))]
    assert sorted(rows) == list(range(103))


def test_a_loaded_state_continues_at_the_next_batch() -> None:
    data = loader()
    data.set_epoch(3)
    batches = iter(data)
    seen = [int(v) for _ in range(4) for v in next(batches)[0]]
    again = loader()
    again.load_state_dict(data.state_dict())
    again.set_epoch(3)
    rest = [int(v) for (batch,) in again for v in batch]
    assert seen + rest == epoch(loader(), 3)


def test_evaluation_starts_over_after_an_epoch() -> None:
    data = loader(shuffle=False)
    assert epoch(data) == epoch(data)


class Numbers(TensorDataModule):
    def __init__(self, train: int = 8, val: int = 4, num_classes: int = 3, **settings: int) -> None:
        super().__init__(**settings)
        self.sizes = {"train": train, "val": val, "test": 4}
        self.num_classes = num_classes

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        return {name: (torch.ones(n, 2), torch.arange(n) % 3) for name, n in self.sizes.items()}


def test_evaluation_batches_are_four_times_as_large() -> None:
    data = Numbers(batch_size=2)
    data.setup("fit")
    assert [len(x) for x, _ in data.train_dataloader()] == [2] * 4
    assert [len(x) for x, _ in data.val_dataloader()] == [4]


@pytest.mark.parametrize("size", [0, -1])
def test_batch_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=rf"data\.batch_size is {size}"):
        Numbers(batch_size=size)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(UserError, match="the val split of Numbers is empty"):
        Numbers(val=0).setup("fit")


def test_labels_outside_the_classes_are_refused() -> None:
    with pytest.raises(UserError, match=r"label 2 in the train split, but data\.num_classes is 2"):
        Numbers(num_classes=2).setup("fit")


def test_a_split_smaller_than_the_world_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Numbers(val=1)
    monkeypatch.setattr(data, "_rank_and_world", lambda: (0, 2))
    with pytest.raises(UserError, match="the val split has 1 rows for 2 processes"):
        data.setup("fit")


def test_a_place_in_an_epoch_of_another_length_is_refused() -> None:
    with pytest.raises(UserError, match="from within an epoch of 11 batches, now an epoch has 6"):
        loader(53).load_state_dict(loader(103).state_dict())


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_run_goes_on_with_the_rows_it_began_with(verb: str) -> None:
    before, after = Numbers(), Numbers(train=7)
    for data in (before, after):
        data.setup("fit")
        data.trainer = SimpleNamespace(state=SimpleNamespace(fn=verb))  # type: ignore[assignment]
    before.load_state_dict(before.state_dict())
    if verb == "test":
        after.load_state_dict(before.state_dict())
        return
    with pytest.raises(UserError, match="the train split of Numbers has 7 rows, the run began with 8"):
        after.load_state_dict(before.state_dict())


class Watched(SmallNet):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Tensor] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.batches.append(batch[0].clone())
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize(("overfit", "same"), [(1, True), (0, False)])
def test_one_batch_that_is_overfitted_on_purpose_is_the_same_each_epoch(
    overfit: int, same: bool, tmp_path: Path
) -> None:
    model, limits = Watched(), {"overfit_batches": overfit} if overfit else {"limit_train_batches": 1}
    small_trainer(tmp_path, max_epochs=3, **limits).fit(model, datamodule=Points(noise=0.0))
    assert len(model.batches) == 3
    assert all(torch.equal(model.batches[0], batch) for batch in model.batches[1:]) is same


class Images(Numbers):
    """Bytes, which ``transform`` makes numbers in single precision, and ``augment`` too."""

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        rows = (torch.arange(256, dtype=torch.uint8)[:, None], torch.zeros(256, dtype=torch.long))
        return dict.fromkeys(("train", "val", "test", "predict"), rows)

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (batch[0].to(torch.float32) / 255, *batch[1:])


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("64-true", torch.float64), ("bf16-true", torch.bfloat16), ("16-true", torch.float16), ("32", torch.float32)],
)
def test_a_batch_has_the_type_of_the_model(precision: Any, dtype: torch.dtype) -> None:
    data = Images()
    data.trainer = Trainer(accelerator="cpu", precision=precision, logger=False, enable_checkpointing=False)
    data.setup("fit")
    x, y = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
    assert x.dtype == dtype and y.dtype == torch.long


def test_the_runs_class_names_win_and_others_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    data = Numbers()
    data.class_names = ["b", "a", "c"]
    data.load_processor({"class_names": ["a", "b", "c"]})
    assert data.class_names == ["a", "b", "c"] and "and not as Numbers calls them" in capsys.readouterr().err


def test_names_that_are_found_in_the_data_do_not_replace_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    class Named(Numbers):
        def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
            self.class_names = ["b", "a", "c"]
            return super().load(stage)

    data = Named()
    data.load_processor({"class_names": ["a", "b", "c"]})
    data.setup("test")
    assert data.class_names == ["a", "b", "c"] and "and not as Named calls them" in capsys.readouterr().err


class OwnPoints(Points):
    own_path = "points.csv"

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.facts.append("2 rows left out")
        return super().load(stage)


def test_what_was_read_of_own_data_is_said_once_for_each_verb(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for data, lines in ((OwnPoints(), 1), (Points(), 0)):
        small_trainer(tmp_path, max_epochs=1).fit(SmallNet(), data)
        said = [line for line in capsys.readouterr().err.splitlines() if "read points.csv: train" in line]
        assert len(said) == lines and all("2 rows left out" in line for line in said)
