"""RWKV-4's operator: the loop by its formula, and the form of training against the loop."""

import pytest
import torch
from torch import Tensor

from lit_models.layers.wkv4 import initial_state4, wkv4, wkv4_recurrent, wkv4_step
from tests.lit_models.layers.wkv import difference, split_equals_whole


def example(length: int, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> tuple[list[Tensor], list[Tensor]]:
    """k, v, w, u of 6 channels with decays from e^-0.007 to e^-20, and a state."""
    torch.manual_seed(length)
    k, v = (torch.randn(2, length, 6, dtype=dtype) for _ in range(2))
    w, u = -torch.linspace(-5, 3, 6, dtype=dtype).exp(), torch.randn(6, dtype=dtype)
    state = [torch.randn(2, 6, dtype=dtype), torch.rand(2, 6, dtype=dtype) + 0.1, torch.randn(2, 6, dtype=dtype)]
    return [scale * k, v, w, u], state


def test_the_loop_is_the_formula() -> None:
    (k, v, w, u), _ = example(5)
    y, _ = wkv4_recurrent(k, v, w, u, initial_state4(2, 6, k))
    for t in range(5):
        weights = torch.stack([(t - 1 - j) * w + k[:, j] for j in range(t)] + [u + k[:, t]], 1).softmax(1)
        torch.testing.assert_close(y[:, t], (weights * v[:, : t + 1]).sum(1))


@pytest.mark.parametrize("length", [1, 2, 16, 17, 40])
def test_outputs_states_and_gradients_are_those_of_the_loop(length: int) -> None:
    assert difference(wkv4_recurrent, wkv4, *example(length)) < 1e-10


def test_large_keys_do_not_overflow() -> None:
    assert difference(wkv4_recurrent, wkv4, *example(33, scale=300.0)) < 1e-10


def test_single_precision_is_as_exact_as_the_loop() -> None:
    assert difference(wkv4_recurrent, wkv4, *example(64, torch.float32)) < 1e-5


def test_a_large_early_key_does_not_erase_what_comes_after_it_has_decayed() -> None:
    """A maximum over the whole sequence would: e^-200 is 0 in single precision."""
    k, v = torch.zeros(1, 40, 1), torch.randn(1, 40, 1)
    k[0, 0] = 200.0
    y, _ = wkv4(k, v, torch.tensor([-20.0]), torch.zeros(1), initial_state4(1, 1, k))
    y64, _ = wkv4_recurrent(
        *(t.double() for t in (k, v, torch.tensor([-20.0]), torch.zeros(1))), initial_state4(1, 1, k.double())
    )
    torch.testing.assert_close(y.double(), y64, rtol=1e-5, atol=1e-6)


def test_two_pieces_are_the_whole() -> None:
    inputs, state = example(20)
    parts = (inputs[0], inputs[1], inputs[2], inputs[3])
    assert split_equals_whole(wkv4, parts, 2, tuple(state))


def test_gradients_are_those_of_finite_differences() -> None:
    inputs, state = example(5)
    leaves = [t.requires_grad_() for t in (*inputs, *state[:2])]
    assert torch.autograd.gradcheck(lambda *t: wkv4(*t[:4], (t[4], t[5], state[2]))[0], leaves)


def test_the_state_is_not_changed_in_place() -> None:
    (k, v, w, u), state = example(3)
    before = [t.clone() for t in state]
    wkv4(k, v, w, u, tuple(state))  # type: ignore[arg-type]
    wkv4_step(k[:, 0], v[:, 0], w, u, tuple(state))  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(before, state, strict=True))


def test_autocast_does_not_touch_it() -> None:
    inputs, state = example(20, torch.float32)
    plain = wkv4(*inputs, tuple(state))[0]  # type: ignore[arg-type]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(wkv4(*inputs, tuple(state))[0], plain)  # type: ignore[arg-type]
