"""The operator of RWKV-4: an average of values whose weights fall with time. Peng et al. 2023, "RWKV", equation 16.

    wkv_t = (sum_{j<t} e^{(t-1-j) w + k_j} v_j + e^{u + k_t} v_t) / (the same sum without v)

Each channel has a decay w < 0 of its own, and a bonus u for the present token. The state of a sequence is (a, b, p):
numerator and denominator of the past, both divided by e^p with p the largest exponent so far, so that no exponential
overflows. p moves with time: a maximum over the whole sequence would let everything but its neighborhood underflow.
Nothing depends on p but the rounding; gradients therefore treat it as a constant, and flow through a and b.

``wkv4_step`` is the definition, ``wkv4_recurrent`` the loop over it, and ``wkv4`` is what training uses: the same
numbers with all exponentials outside of the loop, and the gradient written out.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lit_models.layers.precision import at_least_float32, full_precision

State4 = tuple[Tensor, Tensor, Tensor]
NOTHING = -1e30  # the exponent of an empty past


def initial_state4(rows: int, channels: int, like: Tensor) -> State4:
    """The state (a, b, p), each (B, A), before the first token; at least float32, on the device of ``like``."""
    zeros = at_least_float32(like.new_zeros(rows, channels))
    return zeros, zeros, torch.full_like(zeros, NOTHING)


def wkv4_step(k: Tensor, v: Tensor, w: Tensor, u: Tensor, state: State4) -> tuple[Tensor, State4]:
    """One token.

    Args:
        k, v: Key and value (B, A).
        w: Logarithm of the decay (A,), negative.
        u: Bonus of the present token (A,).
        state: (a, b, p), each (B, A); it is not changed.

    Returns:
        wkv (B, A), and the new state.
    """
    a, b, p = state
    q = torch.maximum(p, u + k).detach()
    past, now = torch.exp(p - q), torch.exp(u + k - q)
    y = (past * a + now * v) / (past * b + now)
    q = torch.maximum(p + w, k).detach()
    past, now = torch.exp(p + w - q), torch.exp(k - q)
    return y, (past * a + now * v, past * b + now, q)


def wkv4_recurrent(k: Tensor, v: Tensor, w: Tensor, u: Tensor, state: State4) -> tuple[Tensor, State4]:
    """Token by token: k and v (B, T, A) -> wkv (B, T, A) and the last state. See ``wkv4_step``."""
    outputs = []
    for k_t, v_t in zip(k.unbind(1), v.unbind(1), strict=True):
        y, state = wkv4_step(k_t, v_t, w, u, state)
        outputs.append(y)
    return torch.stack(outputs, 1), state


def wkv4(k: Tensor, v: Tensor, w: Tensor, u: Tensor, state: State4) -> tuple[Tensor, State4]:
    """All tokens: as ``wkv4_recurrent``, in float32 or float64 whatever the surrounding precision. Its gradients are of
    first order.
    """
    with full_precision(k):
        k, v, w, u = (at_least_float32(t) for t in (k, v, w, u))
        if k.shape[1] == 1:
            y, state = wkv4_step(k[:, 0], v[:, 0], w, u, state)
            return y[:, None], state
        if torch.is_grad_enabled():
            y, *last = _WKV4.apply(k, v, w, u, *state)
            return y, (last[0], last[1], last[2])
        y, exponents, sums, _ = all_tokens(k, v, w, u, state)
        return y, last_state(sums, exponents)


def all_tokens(
    k: Tensor, v: Tensor, w: Tensor, u: Tensor, state: State4
) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
    """wkv (B, T, A); the exponents p (B, T + 1, A) and the sums a and b (2, B, T + 1, A) before each token and behind
    the last; and the weights, each (B, T, A): of the sums' past and of the new token in the next sums, of the past and
    of the present token in the output; and the output's denominator.
    """
    a, b, p = state
    rows, length, channels = k.shape
    exponents = k.new_empty(rows, length + 1, channels)
    exponents[:, 0] = p
    places = exponents.unbind(1)
    for k_t, before, after in zip(k.unbind(1), places, places[1:], strict=False):
        torch.maximum(before + w, k_t, out=after)
    earlier, later = exponents[:, :-1], exponents[:, 1:]
    decay, new = torch.exp(earlier + w - later), torch.exp(k - later)
    sums = k.new_empty(2, rows, length + 1, channels)
    sums[0, :, 0], sums[1, :, 0] = a, b
    sums[0, :, 1:], sums[1, :, 1:] = new * v, new
    steps = sums.unbind(2)
    for d, before, after in zip(decay.unbind(1), steps, steps[1:], strict=False):
        after.addcmul_(d, before)  # s_t = d_t s_{t-1} + x_t
    present = u + k
    q = torch.maximum(earlier, present)
    past, now = torch.exp(earlier - q), torch.exp(present - q)
    bottom = torch.addcmul(now, past, sums[1, :, :-1])
    y = torch.addcmul(now * v, past, sums[0, :, :-1]).div_(bottom)
    return y, exponents, sums, (decay, new, past, now, bottom)


def last_state(sums: Tensor, exponents: Tensor) -> State4:
    """The state behind the last token, in memory of its own: a part would keep that of all tokens."""
    return sums[0, :, -1].clone(), sums[1, :, -1].clone(), exponents[:, -1].clone()


class _WKV4(Function):
    """With its gradient written out. A sum's gradient comes from the output of the token behind it and from the next
    sum: G_{t-1} = g_{t-1} + d_t G_t, the same recurrence backward in time.
    """

    @staticmethod
    def forward(ctx: Any, k: Tensor, v: Tensor, w: Tensor, u: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        y, exponents, sums, weights = all_tokens(k, v, w, u, (state[0], state[1], state[2]))
        ctx.save_for_backward(v, y, sums, *weights)
        last = last_state(sums, exponents)
        ctx.mark_non_differentiable(last[2])
        return y, *last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        v, y, sums, decay, new, past, now, bottom = ctx.saved_tensors
        top = given[0] / bottom  # of the output's numerator; of its denominator -y times as much
        g = torch.empty_like(sums)
        torch.mul(past, top, out=g[0, :, :-1])
        torch.mul(g[0, :, :-1], y, out=g[1, :, :-1]).neg_()
        g[0, :, -1], g[1, :, -1] = given[1], given[2]
        steps = g.unbind(2)
        for d, before, after in zip(decay.unbind(1)[::-1], steps[-2::-1], steps[:0:-1], strict=True):
            before.addcmul_(d, after)
        present = now * top
        into_a, into_b = g[0, :, 1:], g[1, :, 1:]  # of what each token adds to the sums
        grad_v = torch.addcmul(present, new, into_a)
        present *= v - y  # of u + k_t in the output
        grad_k = torch.addcmul(present, new, torch.addcmul(into_b, into_a, v))
        grad_w = (into_a * sums[0, :, :-1]).addcmul_(into_b, sums[1, :, :-1]).mul_(decay)  # of its logarithm
        return grad_k, grad_v, grad_w.sum((0, 1)), present.sum((0, 1)), g[0, :, 0], g[1, :, 0], None
