"""Weights of a network that predicts something else are refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.diffusion.points import LitPoints
from tests.battery import ADAM
from tests.small import small_trainer


def saved(path: Path, **settings: Any) -> str:
    trainer = small_trainer(path, max_epochs=0)
    batch = (torch.randn(4, 2), torch.zeros(4, dtype=torch.long))
    trainer.fit(LitPoints(num_timesteps=10, optimizer=ADAM, **settings), [batch], [batch])
    trainer.save_checkpoint(path / "a.ckpt")
    return str(path / "a.ckpt")


def test_weights_of_another_prediction_are_one_line_that_says_which(tmp_path: Path) -> None:
    path = saved(tmp_path, prediction="v")
    LitPoints(num_timesteps=10, prediction="v", weights=path).take_weights()
    with pytest.raises(UserError, match=r"another meaning: give --model\.num_timesteps 10 --model\.prediction v$"):
        LitPoints(num_timesteps=20, weights=path).take_weights()
