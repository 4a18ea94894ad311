"""Generated pictures and the training pictures that are most like them."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from callbacks.pictures.nearest_training import NearestTraining
from common.messages import UserError


def test_the_training_picture_that_was_copied_is_found() -> None:
    train = torch.randint(0, 256, (30, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(splits={"train": (train, torch.zeros(30))}))
    picture, rows = NearestTraining(5), train[[7, 3]] / 255
    found = picture.look(trainer, None, {"generated": rows + 0.01})  # type: ignore[arg-type]
    assert found is not None
    torch.testing.assert_close(found["nearest"], rows)
    torch.testing.assert_close(found["distances"], torch.full((2,), 0.04))
    (image,) = picture.draw(trainer, found).axes[0].images
    assert image.get_array().shape == (8, 8)  # two columns; below each its neighbor


def test_nothing_is_drawn_without_training_pictures() -> None:
    trainer: Any = SimpleNamespace(datamodule=None)
    assert NearestTraining().look(trainer, None, {"generated": torch.rand(2, 1, 4, 4)}) is None  # type: ignore[arg-type]


def test_training_pictures_that_a_test_did_not_load_are_read_but_not_those_of_another_folder() -> None:
    train = (torch.rand(3, 1, 2, 2), torch.zeros(3))
    splits = {"test": train}
    given: dict[str, Any] = {"splits": splits, "setup": lambda stage: splits.update({"train": train})}
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(**given))
    rows = {"generated": train[0][:1]}
    found = NearestTraining().look(trainer, None, rows)  # type: ignore[arg-type]
    assert found is not None and float(found["distances"]) == 0
    del splits["train"]
    trainer.datamodule.other_file = True
    assert NearestTraining().look(trainer, None, rows) is None  # type: ignore[arg-type]


def test_training_pictures_that_are_gone_cost_the_picture_and_not_the_test(capsys: pytest.CaptureFixture[str]) -> None:
    def setup(stage: str) -> None:
        raise UserError("flowers is not there")

    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(splits={"test": ()}, setup=setup))
    assert NearestTraining().look(trainer, None, {"generated": torch.rand(1, 1, 2, 2)}) is None  # type: ignore[arg-type]
    assert "nearest.png is not drawn: flowers is not there" in capsys.readouterr().err
