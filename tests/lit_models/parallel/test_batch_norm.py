"""Synchronized batch normalization in one process is torch's; two processes are in tests/distributed."""

import pytest
import torch
from torch import nn

from lit_models.parallel.batch_norm import SynchronizedBatchNorm, normalize


@pytest.mark.parametrize("momentum", [0.1, None])
def test_one_process_computes_what_torch_computes(momentum: float | None) -> None:
    x = torch.randn(6, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    ours, theirs = (nn.BatchNorm2d(3, momentum=momentum, dtype=torch.float64) for _ in range(2))
    grads = []
    for layer, function in ((ours, lambda t: normalize(ours, t)), (theirs, theirs)):
        for _ in range(2):
            y = function(x)
        (grad,) = torch.autograd.grad(y.sin().sum(), x)
        grads += [y.detach(), grad, layer.running_mean, layer.running_var, layer.num_batches_tracked]
    for a, b in zip(grads[:5], grads[5:], strict=True):
        torch.testing.assert_close(a, b)


def test_the_plugin_is_taken_off_again() -> None:
    net, plugin = nn.Sequential(nn.BatchNorm1d(2)), SynchronizedBatchNorm()
    x = torch.randn(5, 2)
    expected = net(x)
    assert torch.equal(plugin.apply(net)(x), expected)
    assert "forward" in vars(net[0]) and "forward" not in vars(plugin.revert(net)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_half_precision_statistics_are_those_of_single(dtype: torch.dtype) -> None:
    """Of 80,000 values a channel: float16 ends at 65,504."""
    x = (3 + torch.randn(8, 2, 100, 100)).to(dtype)
    ours, theirs = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    with torch.autocast("cpu", torch.bfloat16):
        y = normalize(ours, x)
    expected = theirs(x.float())
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), expected, rtol=0.01, atol=0.01)
    for mine, its in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, its)
