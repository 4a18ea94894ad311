"""Linear attention: scores without a softmax, so that the past is one matrix of fixed size.

Katharopoulos et al. 2020, "Transformers are RNNs: fast autoregressive transformers with linear attention".

    mean_t = phi(q_t) S_t / phi(q_t) . z_t,   phi(x) = elu(x) + 1
    S_t = sum over s <= t of phi(k_s) v_s^T,   z_t = sum over s <= t of phi(k_s)

Two forms with the same values and gradients: the loop over time, and chunks, in which the scores of a chunk with itself
are computed at once and everything before is the state.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.precision import at_least_float32, full_precision

CHUNK = 64  # tokens; the scores of a chunk are a square of this size


def features(x: Tensor) -> Tensor:
    """phi: positive, and nearly linear for positive x."""
    return F.elu(x) + 1


def linear_attention_loop(query: Tensor, key: Tensor, value: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The definition, a token at a time.

    Args:
        query, key: phi(q), phi(k) (B, H, T, d), positive.
        value: (B, H, T, e).
        state: S and z side by side (B, H, d, e + 1).

    Returns:
        The means (B, H, T, e) and the state after the last token.
    """
    value, means = F.pad(value, (0, 1), value=1.0), []  # a last column of ones: its sum is z
    for q, k, v in zip(query.unbind(2), key.unbind(2), value.unbind(2), strict=True):
        state = state + k[..., None] * v[..., None, :]
        means.append(torch.einsum("bhd,bhde->bhe", q, state))
    total = torch.stack(means, 2)
    return total[..., :-1] / total[..., -1:], state


def linear_attention(query: Tensor, key: Tensor, value: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The same in chunks, at least in single precision; arguments and results as ``linear_attention_loop``."""
    query, key, value, state = (at_least_float32(t) for t in (query, key, value, state))
    value, means = F.pad(value, (0, 1), value=1.0), []
    with full_precision(query):  # in bfloat16 a sum of ones ends at 256
        for q, k, v in zip(query.split(CHUNK, 2), key.split(CHUNK, 2), value.split(CHUNK, 2), strict=True):  # type: ignore[no-untyped-call]
            means.append((q @ k.transpose(2, 3)).tril() @ v + q @ state)
            state = state + k.transpose(2, 3) @ v
    total = torch.cat(means, 2)
    return total[..., :-1] / total[..., -1:], state


class RunningSum:
    """The state of a layer in generation: S and z, and the number of tokens in it."""

    def __init__(self) -> None:
        self.state: Tensor | None = None
        self.length = 0


class LinearAttention(MultiHeadAttention):
    """(B, T, hidden_size) -> the same; it has no positions, and no longest text.

    Args:
        hidden_size, num_heads: See ``MultiHeadAttention``.
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__(hidden_size, num_heads, causal=True)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        cache: RunningSum | None = None,  # type: ignore[override]
    ) -> Tensor:
        """As ``MultiHeadAttention``, without a memory and without a mask."""
        query, key, value = self._heads(self.qkv(x)).chunk(3, 1)
        state = cache.state if cache is not None else None
        if state is None:
            state = x.new_zeros(x.shape[0], self.num_heads, self.head_size, self.head_size + 1)
        mean, state = linear_attention(features(query), features(key), value, state)
        if cache is not None:
            cache.state, cache.length = state, cache.length + x.shape[1]
        return self.output(mean.to(x.dtype).transpose(1, 2).reshape(x.shape))
