"""A linear recurrence over time, s_t = d_t * s_{t-1} + x_t, with one multiply-add per step.

The loop over time is inevitable, but what stands inside of it is one operation on one step; whatever else a recurrent
layer computes (keys, exponentials, outputs) is computed for all steps at once. Gradients are written out: the gradient
of a state comes from its own use and from the next state, G_t = g_t + d_{t+1} * G_{t+1}, which is the same recurrence
backward in time (``lit_models/rnn/bptt.py`` derives it).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _LinearScan(Function):
    @staticmethod
    def forward(ctx: Any, decay: Tensor, x: Tensor, start: Tensor) -> Tensor:
        states = scan(decay, x, start)
        ctx.save_for_backward(decay, states, start)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decay, states, start = ctx.saved_tensors
        after = torch.cat([decay[:, 1:], torch.zeros_like(decay[:, :1])], 1)  # d_{t+1}; nothing follows the last step
        g = scan(after.flip(1), gradient.flip(1), torch.zeros_like(start)).flip(1)
        before = torch.cat([start[:, None], states[:, :-1]], 1)
        return (g * before).sum_to_size(decay.shape), g, (decay[:, 0] * g[:, 0]).sum_to_size(start.shape)


def scan(decay: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """The recurrence without gradients."""
    states, state = [], start
    for d, new in zip(decay.unbind(1), x.unbind(1), strict=True):
        state = torch.addcmul(new, d, state)
        states.append(state)
    return torch.stack(states, 1)


def linear_scan(decay: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """All states s_1 ... s_T of s_t = d_t * s_{t-1} + x_t, elementwise.

    Args:
        decay: d (B, T, ...), of sizes that broadcast to x.
        x: (B, T, ...).
        start: s_0 (B, ...), without the axis of time.

    Returns:
        (B, T, ...), with gradients of first order.
    """
    if not torch.is_grad_enabled():
        return scan(decay, x, start)
    return _LinearScan.apply(decay, x, start)
