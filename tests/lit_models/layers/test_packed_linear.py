"""Packed dense layers: nn.Linear's numbers for any number of rows, the network they were made from as it was."""

import pytest
import torch
from torch import nn

from lit_models.layers.packed_linear import PackedLinear, packed


@pytest.mark.parametrize("rows", [(1,), (1, 1), (2, 1), (3, 7), (40,)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("inner", [24, 5])  # more inputs than outputs, and fewer: the order differs
def test_it_equals_the_dense_layer(rows: tuple[int, ...], bias: bool, inner: int) -> None:
    linear = nn.Linear(inner, 10, bias=bias)
    x = torch.randn(*rows, inner)
    with torch.no_grad():
        y = PackedLinear(linear)(x)
        assert y.shape == (*rows, 10)
        torch.testing.assert_close(y, linear(x))
        assert not torch.allclose(y, nn.functional.linear(x, linear.weight + 0.01, linear.bias))


def test_the_network_stays_as_it_was_and_later_changes_do_not_reach_the_copy() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    x = torch.randn(3, 4)
    copy = packed(net)
    before = copy(x)
    assert [type(m) for m in net.modules() if not isinstance(m, nn.Sequential)] == [nn.Linear, nn.ReLU, nn.Linear]
    for p in net.parameters():
        p.data.zero_()
    torch.testing.assert_close(copy(x), before)
    assert net.training and not copy.training and before.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_keep_their_layers(dtype: torch.dtype) -> None:
    copy = packed(nn.Sequential(nn.Linear(4, 2)).to(dtype))
    assert isinstance(copy[0], nn.Linear) and copy[0].weight.dtype == dtype
