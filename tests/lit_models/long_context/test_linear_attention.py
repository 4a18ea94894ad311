"""Linear attention: chunks, the loop, and its two-dimensional form are one function."""

import math

import torch

from lit_models.long_context.linear_attention import (
    LinearAttention,
    RunningSum,
    features,
    linear_attention,
    linear_attention_loop,
)


def test_chunks_are_the_loop_in_values_states_and_gradients() -> None:
    q, k, v, s = (torch.rand(1, 2, 70, 3).double().requires_grad_() for _ in range(4))
    start = torch.rand(1, 2, 3, 4).double()
    found = []
    for form in (linear_attention, linear_attention_loop):
        mean, state = form(q, k, v, start)
        found.append([mean, state, *torch.autograd.grad((mean * s).sum() + state.sum(), (q, k, v))])
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected)


def test_the_first_token_sees_itself_alone() -> None:
    q, k, v = torch.rand(3, 1, 1, 2, 3)
    torch.testing.assert_close(linear_attention(q, k, v, torch.zeros(1, 1, 3, 4))[0][:, :, 0], v[:, :, 0])


def test_a_cache_of_fixed_size_continues_the_text() -> None:
    net, x, cache = LinearAttention(8, 2).double(), torch.randn(2, 9, 8).double(), RunningSum()
    steps = torch.cat([net(part, cache=cache) for part in x.split([4, 1, 4], 1)], 1)
    torch.testing.assert_close(steps, net(x))
    assert cache.length == 9 and cache.state is not None and cache.state.shape == (2, 2, 4, 5)


def test_features_are_the_papers() -> None:
    torch.testing.assert_close(features(torch.tensor([-1.0, 0.0, 2.0])), torch.tensor([math.exp(-1), 1.0, 3.0]))
