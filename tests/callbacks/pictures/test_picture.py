"""The base of the pictures: what it collects, when it draws, and that nothing stays from one run to the next."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.pictures import picture as base
from callbacks.pictures.figures import new_figure
from tests.small import Points, SmallNet, small_trainer


class Inputs(base.TestPicture):
    """The inputs of the test split."""

    name = "inputs"

    def __init__(self, max_rows: int | None = None) -> None:
        self.max_rows = max_rows
        self.drawn: list[torch.Tensor] = []

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> base.Rows | None:
        return {"x": batch[0]}

    def draw(self, trainer: Trainer, found: base.Rows) -> Figure:
        self.drawn.append(found["x"])
        return new_figure(1, 1)


class Nothing(Inputs):
    """Makes nothing of its batches."""

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> base.Rows | None:
        return None


def data() -> Points:
    points = Points()
    points.eval_batch_size = 4
    return points


@pytest.mark.parametrize(("max_rows", "rows"), [(None, 11), (3, 3), (6, 6), (50, 11)])
def test_the_first_rows_of_the_split_are_drawn(max_rows: int | None, rows: int, tmp_path: Path) -> None:
    picture, points = Inputs(max_rows), data()
    small_trainer(tmp_path, picture).test(SmallNet(), datamodule=points, verbose=False)
    assert torch.equal(picture.drawn[0], points.splits["test"][0][:rows])
    assert (tmp_path / "inputs.png").is_file()


def test_a_second_test_begins_anew_also_after_one_that_failed(tmp_path: Path) -> None:
    class Fails(SmallNet):
        def test_step(self, batch: Any, batch_idx: int) -> Any:
            if batch_idx:
                raise RuntimeError
            return super().test_step(batch, batch_idx)

    picture = Inputs()
    trainer = small_trainer(tmp_path, picture)
    with pytest.raises(RuntimeError):
        trainer.test(Fails(), datamodule=data(), verbose=False)
    for _ in range(2):
        small_trainer(tmp_path, picture).test(SmallNet(), datamodule=data(), verbose=False)
    assert [len(x) for x in picture.drawn] == [11, 11] and picture.kept is None


def test_a_trial_run_draws_nothing(tmp_path: Path) -> None:
    picture = Inputs()
    small_trainer(tmp_path, picture, fast_dev_run=True).test(SmallNet(), datamodule=data(), verbose=False)
    assert picture.drawn == [] and not list(tmp_path.iterdir())


def test_where_nothing_was_collected_nothing_is_drawn(tmp_path: Path) -> None:
    picture = Nothing()
    small_trainer(tmp_path, picture).test(SmallNet(), datamodule=data(), verbose=False)
    assert picture.drawn == [] and not list(tmp_path.iterdir())


def test_a_fits_picture_is_drawn_at_its_end(tmp_path: Path) -> None:
    class Count(base.FitPicture):
        name = "parameters"

        def look(self, trainer: Trainer, pl_module: LightningModule) -> int:
            return sum(p.numel() for p in pl_module.parameters())

        def draw(self, trainer: Trainer, found: int) -> Figure:
            assert found == 51
            return new_figure(1, 1)

    small_trainer(tmp_path, Count(), max_epochs=1).fit(SmallNet(), datamodule=data())
    assert (tmp_path / "parameters.png").is_file()
