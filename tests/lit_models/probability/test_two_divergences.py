"""One direction covers both modes with the moments of the whole, the other finds one of them."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.two_modes import TwoModes
from lit_models.probability.two_divergences import LitTwoDivergences
from lit_models.tasks.schedules import Cosine
from tests.small import small_trainer


def fitted(direction: str, folder: Path) -> tuple[LitTwoDivergences, float]:
    model = LitTwoDivergences(direction=direction, optimizer=partial(torch.optim.Adam, lr=0.1), lr_scheduler=Cosine)
    data = TwoModes(batch_size=400)
    trainer = small_trainer(folder, max_epochs=200, check_val_every_n_epoch=100)
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    return model, found["test/loss"]


def test_forward_covers_with_the_mean_and_variance_of_p(tmp_path: Path) -> None:
    model, loss = fitted("forward", tmp_path)
    assert abs(model.net.mean.item()) < 0.01
    assert abs(model.net.log_std.exp().item() - math.sqrt(0.6**2 + 2**2)) < 0.01
    assert loss < 0.56
    assert model.panels()[0]["title"].endswith("covers")


def test_reverse_seeks_one_mode(tmp_path: Path) -> None:
    model, loss = fitted("reverse", tmp_path)
    assert abs(model.net.mean.item() - 2) < 0.05 and abs(model.net.log_std.exp().item() - 0.6) < 0.02
    assert abs(loss - math.log(2)) < 0.01  # half of p is never visited


def test_a_deviation_of_zero_is_refused() -> None:
    with pytest.raises(UserError, match=r"data.std is 0"):
        TwoModes(std=0.0)
