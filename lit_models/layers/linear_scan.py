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
        g = gradient.clone(memory_format=torch.contiguous_format)
        steps = g.unbind(1)
        for d, now, later in zip(decay.unbind(1)[:0:-1], steps[-2::-1], steps[:0:-1], strict=True):
            now.addcmul_(d, later)
        of_decay = torch.empty_like(g)
        torch.mul(g[:, 0], start, out=of_decay[:, 0])
        torch.mul(g[:, 1:], states[:, :-1], out=of_decay[:, 1:])
        return of_decay.sum_to_size(decay.shape), g, (decay[:, 0] * g[:, 0]).sum_to_size(start.shape)


def scan(decay: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """The recurrence without gradients."""
    states = x.clone(memory_format=torch.contiguous_format)
    state = start
    for d, after in zip(decay.unbind(1), states.unbind(1), strict=True):
        state = after.addcmul_(d, state)
    return states


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
