"""The operator of RWKV-5.2 and 6: the loop by its formula, and chunks against the loop."""

import pytest
import torch
from torch import Tensor

from lit_models.layers.wkv6 import wkv6, wkv6_recurrent, wkv6_step
from tests.lit_models.layers.wkv import difference, split_equals_whole


def example(length: int, dtype: torch.dtype = torch.float64, spread: float = 2.0) -> tuple[list[Tensor], list[Tensor]]:
    """r, k, v, log_w (2, T, 2, 5), u and a state; decays down to exp(-exp(spread * 3))."""
    torch.manual_seed(length)
    r, k, v, fast = (torch.randn(2, length, 2, 5, dtype=dtype) for _ in range(4))
    state = torch.randn(2, 2, 5, 5, dtype=dtype)
    return [r, k, v, -(spread * fast).exp(), torch.randn(2, 5, dtype=dtype)], [state]


def test_the_loop_is_the_formula() -> None:
    (r, k, v, log_w, u), (state,) = example(4)
    y, last = wkv6_recurrent(r, k, v, log_w, u, state)
    s = state[0, 1]  # of the second head of the first row
    for t in range(4):
        pair = torch.outer(k[0, t, 1], v[0, t, 1])
        torch.testing.assert_close(y[0, t, 1], r[0, t, 1] @ (s + torch.diag(u[1]) @ pair))
        s = torch.diag(log_w[0, t, 1].exp()) @ s + pair
    torch.testing.assert_close(last[0, 1], s)


@pytest.mark.parametrize("length", [1, 2, 16, 17, 40])
def test_outputs_states_and_gradients_are_those_of_the_loop(length: int) -> None:
    assert difference(wkv6_recurrent, wkv6, *example(length)) < 1e-10


@pytest.mark.parametrize("log_decay", [-1e-6, -7.4, -80.0, -1e6])
def test_extreme_decays_stay_exact(log_decay: float) -> None:
    """exp(-7.4) to the 16th is 1e-51: a quotient of products would be 0 / 0 in single precision."""
    (r, k, v, log_w, u), state = example(40)
    assert difference(wkv6_recurrent, wkv6, [r, k, v, torch.full_like(log_w, log_decay), u], state) < 1e-10


def test_single_precision_is_nearly_as_exact_as_the_loop() -> None:
    """The sums of a chunk's logarithms round: with decays of e^-20 beside e^-0.01 to about 1e-5."""
    assert difference(wkv6_recurrent, wkv6, *example(64, torch.float32, spread=1.0)) < 2e-5


def test_two_pieces_are_the_whole() -> None:
    inputs, (state,) = example(40)
    assert split_equals_whole(wkv6, inputs, 4, state)


def test_gradients_are_those_of_finite_differences() -> None:
    inputs, state = example(18, spread=0.5)
    leaves = [t[:1, :, :1, :2].contiguous().requires_grad_() for t in inputs[:4]]
    leaves += [inputs[4][:1, :2].contiguous().requires_grad_(), state[0][:1, :1, :2, :2].contiguous().requires_grad_()]
    assert torch.autograd.gradcheck(wkv6, leaves)


def test_the_state_is_not_changed_in_place() -> None:
    (r, k, v, log_w, u), (state,) = example(3)
    before = state.clone()
    wkv6(r, k, v, log_w, u, state)
    wkv6_step(r[:, 0], k[:, 0], v[:, 0], log_w[:, 0], u, state)
    assert torch.equal(before, state)


def test_autocast_does_not_touch_it() -> None:
    inputs, (state,) = example(20, torch.float32)
    plain = wkv6(*inputs, state)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(wkv6(*inputs, state)[0], plain)
