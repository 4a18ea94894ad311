"""The operator of RWKV-7: a state that is also corrected, not only decayed. Peng et al. 2025, "RWKV-7 Goose", 4.1.

    S_t = S_{t-1} diag(w_t) + (S_{t-1} a_t) b_t^T + v_t k_t^T        y_t = S_t r_t

S is (value, key): the transpose of that of RWKV-5 and 6, and y_t reads the new state. With a = -kk and b = kk * (rate)
for a key kk of length 1 the step takes away a part of what the state has stored for kk before it adds the new pair: the
delta rule of Widrow and Hoff (1960), with a decay. Therefore the state can follow what no decaying sum can, such as
the swaps of a permutation.

``wkv7_step`` is the definition, ``wkv7_recurrent`` the loop over it. ``wkv7`` is what training uses, in chunks of 16
tokens: the corrections z_t = S_{t-1} a_t of a chunk depend on one another, z_t = (what the state before the chunk and
the earlier values of the chunk give) + sum_{j<t} m_tj z_j, a triangular system that is solved for the whole chunk.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.layers.wkv6 import CHUNK, chunks


def wkv7_step(
    r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """One token.

    Args:
        r: Receptance (B, H, N).
        log_w: Logarithm of the decay (B, H, N), between -0.61 and 0 in RWKV-7.
        k, v: Key and value (B, H, N).
        a: What the state is asked before it is corrected (B, H, N).
        b: Where what was read is added (B, H, N).
        state: S (B, H, N, N), value by key; it is not changed.

    Returns:
        y (B, H, N), and the new state.
    """
    read = state @ a[..., None]  # (B, H, N, 1)
    state = state * log_w.exp()[..., None, :] + read * b[..., None, :] + v[..., None] * k[..., None, :]
    return (state @ r[..., None]).squeeze(-1), state


def wkv7_recurrent(
    r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Token by token: (B, T, H, N) each -> y (B, T, H, N) and the last state. See ``wkv7_step``."""
    outputs = []
    for step in zip(*(t.unbind(1) for t in (r, log_w, k, v, a, b)), strict=True):
        y, state = wkv7_step(*step, state)  # type: ignore[call-arg]
        outputs.append(y)
    return torch.stack(outputs, 1), state


def wkv7(r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """All tokens: as ``wkv7_recurrent``, in float32 or float64 whatever the surrounding precision.

    The decays of a chunk are divided by one another, which is exact enough as long as their product is above 1e-5: the
    16th power of RWKV-7's smallest decay is 6e-5.
    """
    with full_precision(r):
        parts = [at_least_float32(t) for t in (r, log_w, k, v, a, b)]
        length = r.shape[1]
        if length == 1:
            y, state = wkv7_step(*(t[:, 0] for t in parts), state)  # type: ignore[call-arg]
            return y[:, None], state
        r, log_w, k, v, a, b = (chunks(t) for t in parts)  # (B, n, H, L, N)
        until = log_w.cumsum(3)  # c_t, with the decay of token t
        before = F.pad(until[..., :-1, :], (0, 0, 1, 0))  # c_{t-1}
        total = until[..., -1:, :]
        r, a = r * until.exp(), a * before.exp()  # as the state before the chunk sees them
        k_back, b_back = k * (-until).exp(), b * (-until).exp()
        k_end, b_end = k * (total - until).exp(), b * (total - until).exp()  # as the state after the chunk has them

        # z = a S + (a k') v + (a b') z, the sums over earlier tokens: (1 - (a b')) z = a S + (a k') v
        eye = torch.eye(CHUNK, dtype=r.dtype, device=r.device)
        system = eye - (a @ b_back.mT).tril(-1)
        right = torch.cat([a, (a @ k_back.mT).tril(-1) @ v], -1)
        solved = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
        of_state, of_values = solved.chunk(2, -1)  # z = of_state S + of_values, each (B, n, H, L, N)

        # the state after a chunk is linear in the state before it
        moves = torch.diag_embed(total.squeeze(-2).exp()) + b_end.mT @ of_state  # (B, n, H, key, key)
        adds = b_end.mT @ of_values + k_end.mT @ v  # (B, n, H, key, value)
        states = [state.mT]
        for move, add in zip(moves.unbind(1), adds.unbind(1), strict=True):
            states.append(move @ states[-1] + add)
        earlier = torch.stack(states[:-1], 1)  # before each chunk

        reads_b, reads_k = (r @ b_back.mT).tril(), (r @ k_back.mT).tril()  # the new state: the present token too
        y = (r + reads_b @ of_state) @ earlier + reads_b @ of_values + reads_k @ v
        return y.transpose(2, 3).flatten(1, 2)[:, :length], states[-1].mT
