"""Penalties on weights and activities: which parameters, how much, and what they do."""

from pathlib import Path

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.cnn.batch_norm import LitBatchNormLeNet
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d
from lit_models.regularization.penalties import ActivityPenalty, WeightPenalty
from tests.small import Points, SmallNet, small_trainer


def test_weights_are_penalized_and_biases_and_gains_are_not() -> None:
    model = LitBatchNormLeNet()
    total = WeightPenalty(l1=2.0, l2=3.0).penalty(model, torch.ones(1), torch.ones(1), torch.ones(1))
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    weights = torch.cat([m.weight.flatten() for m in layers])
    torch.testing.assert_close(total, 2 * weights.abs().sum() + 1.5 * weights.square().sum())
    torch.autograd.backward(total)
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {name for name, p in model.named_parameters() if p.ndim > 1}


def test_biases_of_several_dimensions_are_not_penalized() -> None:
    model = SmallNet()
    model.net = nn.Sequential(UnsharedConv2d(1, 2, 4, 3), TiledConv2d(2, 2, 2))
    total = WeightPenalty(l1=1.0).penalty(model, torch.ones(1), torch.ones(1), torch.ones(1))
    torch.testing.assert_close(total, sum(layer.weight.abs().sum() for layer in model.net))


def test_an_l1_penalty_leaves_many_weights_near_zero(tmp_path: Path) -> None:
    def small(l1: float) -> float:
        torch.manual_seed(0)
        model = SmallNet(lr=0.03, regularizers=[WeightPenalty(l1=l1)])
        small_trainer(tmp_path, max_epochs=15).fit(model, Points())
        return float((model.net[0].weight.abs() < 0.02).float().mean())

    assert small(0.1) > small(0.0) + 0.3


def test_an_activity_penalty_makes_the_representation_small_and_is_taken_at_the_last_layer(tmp_path: Path) -> None:
    def activity(weight: float) -> float:
        torch.manual_seed(0)
        model = SmallNet(lr=0.03, dropout=0.0, regularizers=[ActivityPenalty(weight)])
        data = Points()
        small_trainer(tmp_path, max_epochs=10).fit(model, data)
        assert not model.net[3]._forward_pre_hooks
        return float(model.net[:3](data.splits["val"][0]).mean())

    assert activity(1.0) < 0.7 * activity(0.0)
    penalty, model = ActivityPenalty(2.0), SmallNet(dropout=0.0)
    x = torch.randn(4, 2)
    penalty.batch(model, x, torch.zeros(4))
    found = penalty.penalty(model, x, model(x), torch.ones(4))
    torch.testing.assert_close(found, 2 * model.net[:2](x).mean())


def test_negative_strengths_and_a_network_without_dense_layers_are_refused() -> None:
    for wrong in (lambda: WeightPenalty(l1=-1), lambda: WeightPenalty(l2=-1), lambda: ActivityPenalty(-1)):
        with pytest.raises(UserError, match="is -1"):
            wrong()
    model = SmallNet()
    model.net = nn.Flatten()
    with pytest.raises(UserError, match="no dense layer"):
        ActivityPenalty().batch(model, torch.ones(1), torch.ones(1))
