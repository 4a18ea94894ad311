"""Receptive fields against what changes, published costs of published networks, memory against a count by hand."""

import math
from typing import Any

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn

from scripts.evidence.parity.cnn_torchvision import PAIRS, Pair
from scripts.front.costs import ReceptiveFields, kept_for_backward
from scripts.verbs.describe import measure


def largest(net: nn.Module, size: int) -> float:
    """The largest receptive field that is not the whole image."""
    layers, _ = measure(net, (torch.zeros(1, 3, size, size, device="meta"),))
    return max(layer.field for layer in layers if layer.field is not None and layer.field < math.inf)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.theirs)
def test_costs_are_those_that_torchvision_publishes(pair: Pair) -> None:
    with torch.device("meta"):
        net = pair.ours()
    weights: Any = next(iter(tv.get_model_weights(pair.theirs)))
    _, multiply_adds = measure(net, (torch.zeros(1, 3, 224, 224, device="meta"),))
    assert multiply_adds is not None and round(multiply_adds / 1e9, 3) == weights.meta["_ops"]
    learned = sum(p.numel() for name, p in net.named_parameters() if ".aux" not in f".{name}")
    assert learned == weights.meta["num_params"]


@pytest.mark.parametrize(("name", "field"), [("alexnet", 195), ("vgg16", 212), ("resnet18", 435)])
def test_receptive_fields_that_others_computed(name: str, field: int) -> None:  # Araujo et al. 2019, table 1, for two
    pair = next(p for p in PAIRS if p.theirs == name)
    with torch.device("meta"):
        assert largest(pair.ours(), 224) == field


LAYERS: dict[str, nn.Module] = {
    "stride and dilation": nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.Conv2d(2, 2, 3, dilation=2)),
    "poolings": nn.Sequential(nn.AvgPool2d(3, 2), nn.Conv2d(1, 1, 3), nn.AvgPool2d(2)),
    "adaptive pooling": nn.AdaptiveAvgPool2d(8),
    "side by side": nn.Sequential(nn.Conv2d(1, 4, 1), nn.PixelShuffle(1), nn.Conv2d(4, 1, 5, padding=2)),
}


@pytest.mark.parametrize("net", LAYERS.values(), ids=LAYERS)
def test_a_unit_is_changed_by_its_field_and_by_nothing_else(net: nn.Module) -> None:
    for p in net.parameters():
        nn.init.constant_(p, 1.0)  # nothing cancels
    x = torch.zeros(1, 1, 32, 32, requires_grad=True)
    with ReceptiveFields(x) as fields:
        out = net(x)
        field = fields.of(out)
    middle = out.shape[-1] // 2
    out[0, :, middle, middle].sum().backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert field == int(rows.max() - rows.min()) + 1


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        return self.small(x) + self.large(x)


def test_of_several_paths_the_widest_counts_and_the_mean_sees_all() -> None:
    net = nn.Sequential(Twice(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    fields = [layer.field for layer in measure(net, (torch.zeros(1, 1, 16, 16),))[0]]
    assert fields == [3, 7, 7, math.inf, math.inf, math.inf]


def test_memory_kept_is_what_the_backward_pass_needs() -> None:
    net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    x = torch.zeros(3, 10)
    # The first layer needs its input, which is not counted; the ReLU its output, which is the second layer's input.
    assert kept_for_backward(net, (x,)) == 3 * 20 * 4
    assert kept_for_backward(nn.Sequential(nn.Linear(10, 20), nn.Sigmoid()), (x,)) == 3 * 20 * 4
    assert kept_for_backward(nn.Linear(10, 20).requires_grad_(False), (x,)) == 0
