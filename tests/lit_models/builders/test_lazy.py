"""Lazy layers: what fails before the first input, and that one pass mends it."""

import pytest
import torch
from torch import nn

from lit_models.builders.lazy import is_materialized, materialize


def lazy() -> nn.Sequential:
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Dropout(0.5), nn.LazyLinear(2))


def test_before_the_first_input_there_is_nothing_to_count_or_draw() -> None:
    net = lazy()
    assert not is_materialized(net)
    with pytest.raises(ValueError, match="uninitialized parameter"):
        sum(p.numel() for p in net.parameters())
    with pytest.raises(ValueError, match="uninitialized parameter"):
        nn.init.normal_(net[0].weight)


def test_a_layer_changes_its_class_at_the_first_input() -> None:
    net = lazy()
    assert type(net[0]) is not nn.Linear  # what `type(m) == nn.Linear` in an initializer would miss (D2L's init_cnn)
    materialize(net, torch.zeros(1, 5))
    assert type(net[0]) is nn.Linear


def test_one_pass_gives_every_layer_its_size_and_changes_nothing_else() -> None:
    net = lazy().train()
    assert materialize(net, torch.zeros(1, 5)) is net and net.training and is_materialized(net)
    assert net[0].weight.shape == (8, 5) and net[3].weight.shape == (2, 8)
    assert all(p.grad is None for p in net.parameters())


def test_a_layer_that_the_pass_does_not_reach_is_named() -> None:
    net = lazy()
    net.unused = nn.LazyLinear(3)  # registered, but not called: nn.Sequential would call it
    net.forward = lambda x: net[3](net[0](x))  # type: ignore[method-assign,assignment]
    with pytest.raises(RuntimeError, match=r"unused\.weight"):
        materialize(net, torch.zeros(1, 5))
