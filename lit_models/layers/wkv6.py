"""The operator of RWKV-5.2 and 6: a matrix per head as the state. Peng et al. 2024, "Eagle and Finch", 4.1 and 5.1.

    y_t = r_t (S_{t-1} + diag(u) k_t^T v_t)        S_t = diag(w_t) S_{t-1} + k_t^T v_t

S is (key, value). y_t reads the old state, and the present token with the bonus u. In 5.2 the decay w is one number per
channel; in 6 it depends on the token.

``wkv6_step`` is the definition, ``wkv6_recurrent`` the loop over it. ``wkv6`` is what training uses: within chunks of
16 tokens every token reads each earlier one by a product of decays, e^(c_{t-1} - c_j) with the sums c of logarithms;
only the states between chunks are a recurrence. A quotient of products in place of the difference would be 0 / 0: the
16th power of the decay exp(-exp(2)) is 1e-51.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.linear_scan import linear_scan
from lit_models.layers.precision import at_least_float32, full_precision

CHUNK, BLOCK = 16, 4
SMALLEST = -100.0  # of a decay's logarithm: e^-100 is 0 in float32


def wkv6_step(r: Tensor, k: Tensor, v: Tensor, log_w: Tensor, u: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """One token.

    Args:
        r, k, v: Receptance, key and value (B, H, N).
        log_w: Logarithm of the decay (B, H, N), negative.
        u: Bonus of the present token (H, N).
        state: S (B, H, N, N), key by value; it is not changed.

    Returns:
        y (B, H, N), and the new state.
    """
    new = k[..., :, None] * v[..., None, :]  # (B, H, key, value)
    y = torch.einsum("bhk,bhkv->bhv", r, state + u[..., None] * new)
    return y, log_w.exp()[..., None] * state + new


def wkv6_recurrent(r: Tensor, k: Tensor, v: Tensor, log_w: Tensor, u: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Token by token: r, k, v, log_w (B, T, H, N) -> y (B, T, H, N) and the last state. See ``wkv6_step``."""
    outputs = []
    for step in zip(*(t.unbind(1) for t in (r, k, v, log_w)), strict=True):
        y, state = wkv6_step(*step, u, state)  # type: ignore[call-arg]
        outputs.append(y)
    return torch.stack(outputs, 1), state


def wkv6(r: Tensor, k: Tensor, v: Tensor, log_w: Tensor, u: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """All tokens: as ``wkv6_recurrent``, in float32 or float64 whatever the surrounding precision."""
    with full_precision(r):
        r, k, v, log_w, u = (at_least_float32(t) for t in (r, k, v, log_w, u))
        log_w = log_w.clamp(min=SMALLEST)
        length = r.shape[1]
        if length == 1:
            y, state = wkv6_step(r[:, 0], k[:, 0], v[:, 0], log_w[:, 0], u, state)
            return y[:, None], state
        r, k, v, log_w = (chunks(t) for t in (r, k, v, log_w))  # (B, n, H, L, N)
        until = log_w.cumsum(3)  # c_t, with the decay of token t
        before = F.pad(until[..., :-1, :], (0, 0, 1, 0))  # c_{t-1}
        total = until[..., -1:, :]

        scores = within_chunk(r, k, until, before)  # (B, n, H, L, L)
        scores = scores + torch.diag_embed(torch.einsum("bnhlk,hk,bnhlk->bnhl", r, u, k))

        new = (k * (total - until).exp()).transpose(-1, -2) @ v  # (B, n, H, key, value), of a whole chunk
        states = linear_scan(total.exp().transpose(-1, -2), new, state)
        earlier = torch.cat([state[:, None], states[:, :-1]], 1)  # before each chunk
        y = scores @ v + (r * before.exp()) @ earlier
        return y.transpose(2, 3).flatten(1, 2)[:, :length], states[:, -1]


def within_chunk(r: Tensor, k: Tensor, until: Tensor, before: Tensor) -> Tensor:
    """How token t reads the earlier token j of its chunk: sum_n r_t k_j e^(c_{t-1} - c_j), (..., L, L), 0 for j >= t.

    Exponentials are the cost. The chunk is cut into blocks of 4 tokens: where j is in an earlier block than t, the
    decay is cut at the beginning m of t's block, e^(c_{t-1} - c_m) e^(c_m - c_j). Neither factor is above 1, so that
    nothing overflows, and one exponential of j serves a whole block.
    """
    blocks = CHUNK // BLOCK
    start = before[..., ::BLOCK, :]  # c_m, (..., blocks, N)
    earlier = torch.arange(CHUNK, device=r.device) < BLOCK * torch.arange(blocks, device=r.device)[:, None]
    keys = decays(start[..., :, None, :] - until[..., None, :, :], earlier) * k[..., None, :, :]  # (..., blocks, L, N)
    r, k, until, before = (t.unflatten(-2, (blocks, BLOCK)) for t in (r, k, until, before))
    across = (r * (before - start[..., None, :]).exp()) @ keys.mT  # (..., blocks, BLOCK, L)
    triangle = torch.ones(BLOCK, BLOCK, dtype=torch.bool, device=r.device).tril(-1)
    inside = decays(before[..., :, None, :] - until[..., None, :, :], triangle) * k[..., None, :, :]
    inside = (inside @ r[..., None]).squeeze(-1)  # (..., blocks, BLOCK, BLOCK)
    places = torch.eye(blocks, dtype=r.dtype, device=r.device)[:, None, :, None]  # on the diagonal of blocks
    return (across + (inside[..., None, :] * places).flatten(-2)).flatten(-3, -2)


def decays(exponent: Tensor, wanted: Tensor) -> Tensor:
    """e^exponent (..., t, j, N) where ``wanted`` (t, j), 0 elsewhere: an exponent there may be positive and large."""
    return exponent.masked_fill(~wanted[..., None], float("-inf")).exp()


def chunks(x: Tensor) -> Tensor:
    """(B, T, H, N) -> (B, n, H, 16, N); zeros behind the end, which change neither the outputs before nor the state."""
    x = F.pad(x, (0, 0, 0, 0, 0, -x.shape[1] % CHUNK))
    return x.unflatten(1, (-1, CHUNK)).transpose(2, 3)
