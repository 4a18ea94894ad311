"""Dropout by hooks: in training only, before dense layers, and gone after it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from callbacks.dropout import Dropout
from common.messages import UserError
from tests.small import Points, SmallNet, small_trainer


def test_inputs_of_dense_layers_are_dropped_in_training_only() -> None:
    net, x = nn.Sequential(nn.Linear(1000, 1000)), torch.ones(1, 1000)
    nn.init.eye_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    drop = Dropout(0.25)
    drop.attach(net)
    out = net.train()(x)
    assert 0.2 < float((out == 0).float().mean()) < 0.3 and float(out.max()) == pytest.approx(4 / 3)
    assert torch.equal(net.eval()(x), x)
    drop.remove()
    assert torch.equal(net.train()(x), x)


def test_training_changes_and_no_hook_is_left(tmp_path: Path) -> None:
    def weights(*callbacks: Dropout) -> torch.Tensor:
        torch.manual_seed(0)
        model = SmallNet(dropout=0.0)
        small_trainer(tmp_path, *callbacks).fit(model, Points())
        assert not any(m._forward_pre_hooks for m in model.modules())
        return model.net[0].weight

    assert not torch.equal(weights(), weights(Dropout(0.5)))


def test_a_probability_of_one_is_refused() -> None:
    with pytest.raises(UserError, match="p is 1"):
        Dropout(1.0)
