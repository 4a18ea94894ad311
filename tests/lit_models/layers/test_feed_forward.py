"""The dense parts of a layer."""

import pytest
import torch
from torch.nn import functional as F

from lit_models.layers.feed_forward import FeedForward, SwiGLU


@pytest.mark.parametrize(
    ("name", "function"),
    [("relu", F.relu), ("gelu", F.gelu), ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")), ("silu", F.silu)],
)
def test_two_layers_with_the_activation_between(name, function) -> None:  # type: ignore[no-untyped-def]
    net, x = FeedForward(4, 6, name), torch.randn(3, 4)
    torch.testing.assert_close(net(x), net.outer(function(net.inner(x))))


def test_the_gate_opens_and_closes() -> None:
    net, x = SwiGLU(4, 6), torch.randn(3, 4)
    gate, through = net.inner.weight[:6], net.inner.weight[6:]
    torch.testing.assert_close(net(x), net.outer(F.silu(x @ gate.T) * (x @ through.T)))
    with torch.no_grad():
        net.inner.weight[:6] = 0
    assert float(net(x).abs().max()) == 0


def test_inner_features_are_dropped_in_training_alone() -> None:
    net, x = FeedForward(4, 64, "relu", dropout=0.5), torch.randn(3, 4)
    assert not torch.equal(net(x), net(x))
    torch.testing.assert_close(net.eval()(x), net.outer(F.relu(net.inner(x))))
