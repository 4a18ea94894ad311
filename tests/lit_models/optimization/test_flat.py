"""All parameters as one vector: read, moved, and refused where a step has other rows than the last."""

from pathlib import Path

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.optimization.flat import Flat
from lit_models.optimization.lbfgs import LBFGS
from tests.small import Points, SmallNet, small_trainer


def test_position_and_gradient_are_the_parameters_in_their_order() -> None:
    a, b = nn.Parameter(torch.arange(4.0).view(2, 2)), nn.Parameter(torch.tensor([7.0]))
    flat = Flat([a, b], lr=1.0)
    (a.sum() * 2).backward()
    assert flat.position().tolist() == [0, 1, 2, 3, 7] and flat.gradient().tolist() == [2, 2, 2, 2, 0]
    flat.move_to(torch.arange(5.0, 10.0))
    assert a.tolist() == [[5, 6], [7, 8]] and b.tolist() == [9]


def test_groups_are_refused() -> None:
    with pytest.raises(UserError, match="not groups"):
        Flat([{"params": [nn.Parameter(torch.ones(1))]}, {"params": [nn.Parameter(torch.ones(1))]}], lr=1.0)


def test_several_batches_are_refused_and_one_is_trained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="an epoch has 4 batches"):
        small_trainer(tmp_path).fit(SmallNet(optimizer=LBFGS), datamodule=Points())
    trainer = small_trainer(tmp_path, max_epochs=5)
    trainer.fit(SmallNet(optimizer=LBFGS, dropout=0.0), datamodule=Points(batch_size=48))
    assert trainer.global_step == 5 and float(trainer.callback_metrics["train/loss"]) < 0.3
