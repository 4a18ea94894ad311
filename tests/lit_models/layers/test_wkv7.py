"""RWKV-7's operator: the loop by its formula, and chunks against the loop."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.wkv7 import wkv7, wkv7_recurrent, wkv7_step
from tests.lit_models.layers.wkv import difference, split_equals_whole


def example(
    length: int, dtype: torch.dtype = torch.float64, decay: float | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """r, log_w, k, v, a, b (2, T, 2, 5) as RWKV-7 makes them, and a state."""
    torch.manual_seed(length)
    r, fast, k, v, key, rate = (torch.randn(2, length, 2, 5, dtype=dtype) for _ in range(6))
    log_w = -torch.exp(-0.5 + F.logsigmoid(3 * fast)) if decay is None else torch.full_like(fast, decay)
    kk = F.normalize(key, dim=-1)
    return [r, log_w, k, v, -kk, kk * rate.sigmoid()], [torch.randn(2, 2, 5, 5, dtype=dtype)]


def test_the_loop_is_the_formula() -> None:
    (r, log_w, k, v, a, b), (state,) = example(4)
    y, last = wkv7_recurrent(r, log_w, k, v, a, b, state)
    s = state[1, 0]  # of the first head of the second row
    for t in range(4):
        turn = torch.diag(log_w[1, t, 0].exp()) + torch.outer(a[1, t, 0], b[1, t, 0])
        s = s @ turn + torch.outer(v[1, t, 0], k[1, t, 0])
        torch.testing.assert_close(y[1, t, 0], s @ r[1, t, 0])
    torch.testing.assert_close(last[1, 0], s)


def test_a_full_rate_replaces_the_value_of_a_key() -> None:
    """The delta rule: without decay and with rate 1, the second value of a key takes the first one's place."""
    key = F.normalize(torch.randn(1, 1, 1, 4, dtype=torch.float64), dim=-1).expand(1, 2, 1, 4)
    v = torch.randn(1, 2, 1, 4, dtype=torch.float64)
    y, _ = wkv7(key, torch.zeros_like(key), key, v, -key, key, torch.zeros(1, 1, 4, 4, dtype=torch.float64))
    torch.testing.assert_close(y, v)


@pytest.mark.parametrize("length", [1, 2, 16, 17, 40])
def test_outputs_states_and_gradients_are_those_of_the_loop(length: int) -> None:
    assert difference(wkv7_recurrent, wkv7, *example(length)) < 1e-10


@pytest.mark.parametrize("log_decay", [-1e-6, -0.6066])
def test_the_bounds_of_the_decay_stay_exact(log_decay: float) -> None:
    assert difference(wkv7_recurrent, wkv7, *example(40, decay=log_decay)) < 1e-10


def test_single_precision_is_nearly_as_exact_as_the_loop() -> None:
    assert difference(wkv7_recurrent, wkv7, *example(64, torch.float32)) < 2e-5


def test_two_pieces_are_the_whole() -> None:
    inputs, (state,) = example(40)
    assert split_equals_whole(wkv7, inputs, 6, state)


def test_gradients_are_those_of_finite_differences() -> None:
    inputs, state = example(18)
    leaves = [t[:1, :, :1, :2].contiguous().requires_grad_() for t in inputs]
    assert torch.autograd.gradcheck(wkv7, [*leaves, state[0][:1, :1, :2, :2].contiguous().requires_grad_()])


def test_the_state_is_not_changed_in_place() -> None:
    inputs, (state,) = example(3)
    before = state.clone()
    wkv7(*inputs, state)
    wkv7_step(*(t[:, 0] for t in inputs), state)
    assert torch.equal(before, state)


def test_autocast_does_not_touch_it() -> None:
    inputs, (state,) = example(20, torch.float32)
    plain = wkv7(*inputs, state)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(wkv7(*inputs, state)[0], plain)
