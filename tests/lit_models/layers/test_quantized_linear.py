"""Weights of few bits: the error is at most half a step, two numbers share a byte."""

import pytest
import torch
from torch import nn

from lit_models.layers.quantized_linear import GROUP, QuantizedLinear, pack, quantized, stored_bytes, unpack


@pytest.mark.parametrize("bits", [8, 4])
def test_a_weight_is_off_by_at_most_half_a_step_of_its_group(bits: int) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(4 * GROUP, 3)
    with torch.no_grad():
        linear.weight[:, :GROUP] *= 100  # one group's large weights do not coarsen the others in 4 bits
    layer = QuantizedLinear(linear, bits)
    off = (
        (layer.weight - linear.weight)
        .abs()
        .unflatten(1, (-1, layer.scale.shape[1] and 4 * GROUP // layer.scale.shape[1]))
    )
    assert bool((off <= layer.scale / 2 * 1.001).all()) and layer.scale.shape[1] == (1 if bits == 8 else 4)


def test_numbers_survive_packing() -> None:
    whole = torch.arange(-8, 8, dtype=torch.int8).reshape(2, 8)
    assert pack(whole).dtype == torch.uint8 and pack(whole).shape == (2, 4)
    assert torch.equal(unpack(pack(whole)), whole)


def test_a_row_of_zeros_stays_one() -> None:
    linear = nn.Linear(8, 2)
    nn.init.zeros_(linear.weight)
    assert torch.equal(QuantizedLinear(linear, 8)(torch.ones(1, 8)), linear(torch.ones(1, 8)))


def test_a_network_becomes_a_quarter_or_an_eighth_as_large_and_stays_itself() -> None:
    net = nn.Sequential(nn.Linear(256, 256, bias=False), nn.ReLU(), nn.Linear(256, 256, bias=False))
    whole, x = stored_bytes(net), torch.randn(5, 256)
    for bits, size in ((8, 4), (4, 8)):
        small = quantized(net, bits)
        assert stored_bytes(small) == pytest.approx(whole / size, rel=0.3 if bits == 4 else 0.02)
        assert (small(x) - net(x)).abs().max() < (0.02 if bits == 8 else 0.3) * net(x).abs().max()
    assert stored_bytes(net) == whole
