"""Outputs without repeated n-grams: a token that would complete one for the second time is banned.

Paulus et al. 2018, "A deep reinforced model for abstractive summarization", 2.5, for trigrams; transformers'
``no_repeat_ngram_size``.
"""

from typing import Any

import torch
from torch import Tensor

from lit_models.functional.decoding import OUT, Step


def without_repeats(step: Step, size: int) -> Step:
    """The step function ``step`` (``functional/decoding.py``) whose state also has the tokens so far.

    Args:
        step: ``step(tokens (B,), state) -> (scores (B, V), state)``; state None is the beginning.
        size: Tokens of an n-gram, at least 1.
    """

    def banning(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        inner, past = state if state is not None else (None, tokens.new_empty(len(tokens), 0))
        past = torch.cat([past, tokens[:, None]], 1)
        scores, inner = step(tokens, inner)
        return scores.masked_fill(repeating(past, size, scores.shape[1]), OUT), (inner, past)

    return banning


def repeating(past: Tensor, size: int, vocab_size: int) -> Tensor:
    """Which next tokens (B, V) would complete an n-gram that the tokens so far (B, L) have already."""
    banned = torch.zeros(len(past), vocab_size, dtype=torch.bool, device=past.device)
    if past.shape[1] >= size:
        grams = past.unfold(1, size, 1)  # (B, L - size + 1, size)
        same = (grams[..., :-1] == past[:, None, past.shape[1] - size + 1 :]).all(2)
        row, place = same.nonzero(as_tuple=True)
        banned[row, grams[row, place, -1]] = True
    return banned
