"""The operator of RWKV-4: an average of values whose weights fall with time. Peng et al. 2023, "RWKV", equation 16.

    wkv_t = (sum_{j<t} e^{(t-1-j) w + k_j} v_j + e^{u + k_t} v_t) / (the same sum without v)

Each channel has a decay w < 0 of its own, and a bonus u for the present token. The state of a sequence is (a, b, p):
numerator and denominator of the past, both divided by e^p with p the largest exponent so far, so that no exponential
overflows. p moves with time: a maximum over the whole sequence would let everything but its neighborhood underflow.
Nothing depends on p but the rounding; gradients therefore treat it as a constant, and flow through a and b.

``wkv4_step`` is the definition, ``wkv4_recurrent`` the loop over it, and ``wkv4`` is what training uses: the same
numbers with all exponentials outside of the loop.
"""

import torch
from torch import Tensor

from lit_models.layers.linear_scan import linear_scan
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
    """All tokens: as ``wkv4_recurrent``, in float32 or float64 whatever the surrounding precision."""
    with full_precision(k):
        k, v, w, u = (at_least_float32(t) for t in (k, v, w, u))
        if k.shape[1] == 1:
            y, state = wkv4_step(k[:, 0], v[:, 0], w, u, state)
            return y[:, None], state
        a, b, p0 = state
        p = running_maximum(k, w, p0)  # (B, T, A), after each token
        earlier = torch.cat([p0[:, None], p[:, :-1]], 1)
        decay = torch.exp(earlier + w - p)
        new = torch.exp(k - p)
        pairs = torch.stack([new * v, new], 2)  # (B, T, 2, A), numerator and denominator
        start = torch.stack([a, b], 1)
        states = linear_scan(decay[:, :, None], pairs, start)
        before = torch.cat([start[:, None], states[:, :-1]], 1)
        q = torch.maximum(earlier, u + k).detach()
        past, now = torch.exp(earlier - q), torch.exp(u + k - q)
        y = (past * before[:, :, 0] + now * v) / (past * before[:, :, 1] + now)
        return y, (states[:, -1, 0], states[:, -1, 1], p[:, -1])


@torch.no_grad()
def running_maximum(k: Tensor, w: Tensor, p: Tensor) -> Tensor:
    """The exponents p_t = max(p_{t-1} + w, k_t) (B, T, A) after each token."""
    found = []
    for k_t in k.unbind(1):
        p = torch.maximum(p + w, k_t)
        found.append(p)
    return torch.stack(found, 1)
