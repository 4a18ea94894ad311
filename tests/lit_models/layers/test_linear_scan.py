"""The recurrence: its definition, its gradients, and sizes that broadcast."""

import torch

from lit_models.layers.linear_scan import linear_scan


def example(*decay_shape: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    shapes = (decay_shape, (2, 5, 2, 3), (2, 2, 3))
    return tuple(torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes)


def test_each_state_is_the_decayed_last_one_plus_the_new() -> None:
    decay, x, state = example(2, 5, 2, 3)
    found = linear_scan(decay, x, state)
    for t in range(5):
        state = decay[:, t] * state + x[:, t]
        torch.testing.assert_close(found[:, t], state)


def test_gradients_are_those_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(linear_scan, example(2, 5, 2, 3))


def test_a_decay_that_several_entries_share_gets_the_sum_of_their_gradients() -> None:
    assert torch.autograd.gradcheck(linear_scan, example(2, 5, 1, 3))


def test_without_gradients_the_numbers_are_the_same() -> None:
    inputs = example(2, 5, 1, 3)
    with torch.no_grad():
        plain = linear_scan(*inputs)
    assert torch.equal(plain, linear_scan(*inputs))
