"""Which tokens a masked language model must predict, and what it sees in their place.

Devlin et al. 2019, 3.1 and appendix A.1: 15 % of the tokens; of these 80 % become ``[MASK]``, 10 % another token, 10 %
stay. D2L 15.9, whose masks are fixed once for all epochs, whose random tokens may be special ones, and in whose loss
(15.10) padded predictions count, since its weights multiply a mean.
"""

import torch
from torch import Tensor


def choose(
    tokens: Tensor,
    special: Tensor,
    fraction: float = 0.15,
    continues: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which tokens (B, T) must be predicted: each real one with probability ``fraction``; at least one of a text.

    Args:
        tokens: (B, T).
        special: Which ids (V,) are never chosen: padding, ``[CLS]``, ``[SEP]``.
        fraction: Probability.
        continues: Which ids (V,) continue a word (``##ing``): a word's tokens are then chosen together, or not at all.
        generator: Draws; None is torch's own.
    """
    real = ~special[tokens]
    chance = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    if continues is not None:
        first = ~continues[tokens] | ~real
        word = first.long().cumsum(1) - 1  # (B, T): the number of each token's word in its text
        chance = chance.gather(1, word.clamp(min=0))
    chance = chance.masked_fill(~real, 2.0)
    lowest = chance.amin(1, keepdim=True)
    return ((chance < fraction) | (chance == lowest)) & real


def corrupt(
    tokens: Tensor, chosen: Tensor, mask_id: int, special: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """What the model sees (B, T): 80 % of the chosen tokens masked, 10 % random tokens that are not special.

    Args:
        tokens, chosen: (B, T).
        mask_id: Id of ``[MASK]``.
        special: Which ids (V,) are never put in.
        generator: Draws; None is torch's own.
    """
    ordinary = (~special).nonzero().flatten()
    draw = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    other = ordinary[torch.randint(len(ordinary), tokens.shape, generator=generator, device=tokens.device)]
    seen = torch.where(chosen & (draw < 0.8), torch.full_like(tokens, mask_id), tokens)
    return torch.where(chosen & (draw >= 0.8) & (draw < 0.9), other, seen)
