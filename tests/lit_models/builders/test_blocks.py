"""Blocks: a Sequential like torch's, branches, a constant that is saved and moved, a loop that knows no neighbors."""

import pytest
import torch
from torch import nn

from lit_models.builders.blocks import FixedHidden, Parallel, Sequential, halve


def test_the_sequential_by_hand_is_torchs() -> None:
    layers = [nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)]
    ours, theirs = Sequential(*layers), nn.Sequential(*layers)
    x = torch.randn(3, 4)
    assert torch.equal(ours(x), theirs(x)) and list(ours.state_dict()) == list(theirs.state_dict())
    assert len(ours) == 3 and ours[1] is layers[1] and list(ours) == layers


def test_a_layer_listed_twice_runs_twice_where_children_names_it_once() -> None:
    layer, x = nn.Linear(4, 4), torch.randn(3, 4)
    net = Sequential(layer, layer)
    assert torch.equal(net(x), layer(layer(x))) and len(net) == 2
    assert len(list(net.children())) == 1  # what the book's MySequential walks over


def test_a_plain_list_would_hide_the_parameters() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(4, 5)]

    assert not list(Hidden().parameters()) and len(list(Sequential(nn.Linear(4, 5)).parameters())) == 2


def test_blocks_nest_in_blocks() -> None:
    net = Sequential(Parallel(Sequential(nn.Linear(4, 3), nn.ReLU()), nn.Linear(4, 2)), nn.Linear(5, 1))
    x = torch.randn(6, 4)
    left, right = net[0].branches[0](x), net[0].branches[1](x)  # type: ignore[union-attr,index]
    assert torch.equal(net(x), net[1](torch.cat([left, right], 1))) and net(x).shape == (6, 1)


def test_the_constant_is_saved_and_moved_and_no_parameter() -> None:
    block = FixedHidden(5)
    assert "fixed" in block.state_dict() and "fixed" not in dict(block.named_parameters())
    assert block.double().fixed.dtype == torch.float64 and block.to("meta").fixed.device.type == "meta"


def test_the_constant_stays_while_the_layer_used_twice_learns() -> None:
    block = FixedHidden(5)
    before = block.fixed.clone()
    descent = torch.optim.SGD(block.parameters(), lr=0.1)
    block(torch.randn(3, 5)).square().sum().backward()
    weight = block.linear.weight.detach().clone()
    descent.step()
    assert torch.equal(block.fixed, before) and not torch.equal(block.linear.weight, weight)


def test_each_row_is_halved_by_itself_until_it_is_small_enough() -> None:
    x = torch.tensor([[8.0, 0.0], [0.25, 0.25], [3.0, 0.0]])
    assert halve(x).tolist() == [[1.0, 0.0], [0.25, 0.25], [0.75, 0.0]]
    assert torch.equal(halve(x)[:1], halve(x[:1]))  # the book's loop over the batch would answer otherwise


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_the_loop_ends_on_numbers_that_are_none(bad: float) -> None:
    x = torch.tensor([[bad, 1.0], [4.0, 0.0]])
    assert halve(x)[1].tolist() == [1.0, 0.0]


def test_gradients_pass_through_the_loop() -> None:
    x = torch.tensor([[8.0, 0.0]], requires_grad=True)
    halve(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[0.125, 0.125]]
