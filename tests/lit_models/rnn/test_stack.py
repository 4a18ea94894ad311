"""Layers on layers by hand against torch.nn: values, gradients, states, both directions."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_models.functional.state import map_state
from lit_models.rnn.gru import GRULayer
from lit_models.rnn.lstm import LSTMLayer
from lit_models.rnn.rnn import RNNLayer
from lit_models.rnn.stack import Stack, TorchStack, from_torch

LAYERS: dict[str, Any] = {"rnn": RNNLayer, "lstm": LSTMLayer, "gru": GRULayer}


def pair(kind: str, **shape: Any) -> tuple[Stack, TorchStack]:
    theirs = TorchStack(kind, 3, 4, **shape).double()
    mine = Stack(LAYERS[kind], 3, 4, **shape).double()
    from_torch(mine, theirs.layers)
    return mine, theirs


@pytest.mark.parametrize("kind", list(LAYERS))
@pytest.mark.parametrize("shape", [{}, {"num_layers": 3}, {"num_layers": 2, "bidirectional": True}])
def test_by_hand_equals_torch(kind: str, shape: dict[str, Any]) -> None:
    mine, theirs = pair(kind, **shape)
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    first, state = mine(x)
    (a, h_a), (b, h_b) = mine(x.flip(1), state), theirs(x.flip(1), theirs(x)[1])
    torch.testing.assert_close(a, b)
    torch.testing.assert_close(h_a, h_b)
    a.square().sum().backward()
    b.square().sum().backward()
    for number, layer in enumerate(mine.layers):
        level, back = divmod(number, mine.directions)
        for name, p in layer.named_parameters():
            theirs_p = getattr(theirs.layers, f"{name}_l{level}{'_reverse' if back else ''}")
            torch.testing.assert_close(p.grad, theirs_p.grad)
    assert first.shape == (2, 5, 4 * mine.directions)


@pytest.mark.parametrize("kind", list(LAYERS))
def test_two_halves_with_the_state_between_equal_the_whole(kind: str) -> None:
    for stack in pair(kind, num_layers=2):
        x = torch.randn(3, 6, 3, dtype=torch.float64)
        whole, end = stack(x)
        first, state = stack(x[:, :2])
        second, after = stack(x[:, 2:], state)
        torch.testing.assert_close(torch.cat([first, second], 1), whole)
        torch.testing.assert_close(after, end)
        rows: list[int] = []
        map_state(lambda t, seen=rows: seen.append(len(t)) or t, end)  # type: ignore[misc]
        assert set(rows) == {3}, "every tensor of a state has the batch first"


def test_the_second_direction_reads_the_future() -> None:
    stack = Stack(GRULayer, 3, 4, bidirectional=True)
    x = torch.randn(1, 5, 3)
    other = x.clone()
    other[:, 3:] += 1
    before, after = stack(x)[0], stack(other)[0]
    torch.testing.assert_close(before[:, :3, :4], after[:, :3, :4])
    assert not torch.allclose(before[:, :3, 4:], after[:, :3, 4:])


@pytest.mark.parametrize("make", [partial(Stack, GRULayer), partial(TorchStack, "gru")])
def test_dropout_is_between_layers_alone(make: Any) -> None:
    x = torch.randn(2, 5, 3)
    one, two = make(3, 4, 1, dropout=0.9), make(3, 4, 2, dropout=0.9)
    assert torch.equal(one(x)[0], one(x)[0])  # in training: nothing to leave out
    assert not torch.equal(two(x)[0], two(x)[0])
    assert torch.equal(two.eval()(x)[0], two(x)[0])
    zeros = (two.train()(x)[0] == 0).float().mean()
    assert zeros == 0, "the last outputs stay whole"


def test_deep_stacks_have_their_weights() -> None:
    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    stack = Stack(LSTMLayer, 3, 4, num_layers=2, bidirectional=True)
    assert (
        count(stack) == count(nn.LSTM(3, 4, 2, bidirectional=True)) == 2 * (4 * 4 * (3 + 4 + 2) + 4 * 4 * (8 + 4 + 2))
    )


def test_gradients_are_clipped_by_their_global_norm() -> None:
    net = Stack(RNNLayer, 3, 4)
    (100 * net(torch.randn(2, 5, 3))[0].sum()).backward()
    before = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    norm = torch.cat([g.flatten() for g in before]).norm()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    after: list[Tensor] = [p.grad for p in net.parameters() if p.grad is not None]
    assert norm > 1
    for old, new in zip(before, after, strict=True):  # one factor for all: the direction stays
        torch.testing.assert_close(new, old / norm, atol=1e-5, rtol=1e-4)
