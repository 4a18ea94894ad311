"""The contrastive loss of pairs: of all second parts in a batch, which one belongs to a first part, and the reverse.

van den Oord et al. 2018 (InfoNCE); Radford et al. 2021, "Learning transferable visual models from natural language
supervision" (CLIP), figure 3, which has both directions; Karpukhin et al. 2020 (dense passage retrieval), which has
one.
"""

import torch
from torch import Tensor


def contrastive_loss(
    a: Tensor,
    b: Tensor,
    scale: Tensor | float,
    all_a: Tensor | None = None,
    all_b: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """The mean of both cross-entropies, in nats, over N pairs; log(M) for vectors that say nothing.

    Args:
        a, b: The parts of N pairs (N, D), of length one.
        scale: What cosines are multiplied with: the reciprocal of the temperature.
        all_a, all_b: The candidates (M, D) of all processes; None: those of this batch.
        first: The row of the first pair among the candidates.
    """
    return (matching_loss(a, b if all_b is None else all_b, scale, first) +
            matching_loss(b, a if all_a is None else all_a, scale, first)) / 2  # fmt: skip


def matching_loss(a: Tensor, candidates: Tensor, scale: Tensor | float, first: int = 0) -> Tensor:
    """One direction: -log of the softmax of ``scale`` a . b over candidates (M, D), where row i's own is first + i."""
    with torch.autocast(a.device.type, enabled=False):  # half precision would round scores up to 100 to halves
        scores = scale * a @ candidates.T  # (N, M)
    own = scores.diagonal(first)
    return (torch.logsumexp(scores, 1) - own).mean()
