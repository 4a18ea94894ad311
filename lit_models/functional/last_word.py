"""LAMBADA: the last word of a passage, which needs the whole passage to be known. Paperno et al. 2016.

As ChatRWKV and GPT-2's evaluation score it: the last word, with the space before it, is right if each of its tokens has
the largest logit; the perplexity is exp of the mean negative log-probability of a word, not of a token.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError


def last_word_scores(
    decode: Callable[[Tensor, Any], tuple[Tensor, Any]],
    encode: Callable[[str], list[int]],
    passages: Iterable[str],
    begin: Sequence[int] = (),
    device: torch.device | str = "cpu",
) -> tuple[float, float]:
    """The fraction of last words that are right, and their perplexity.

    Args:
        decode: ``decode(tokens (1, T), state) -> (logits (1, T, V), state)``.
        encode: A text as ids.
        passages: Texts; the last word is what follows the last space.
        begin: Tokens before each passage, such as the end of the text before it.
        device: Where the network is.

    Raises:
        UserError: There is no passage, or one has a single word.
    """
    right, total, count = 0, 0.0, 0
    for passage in passages:
        before, space, word = passage.strip().rpartition(" ")
        if not space:
            raise UserError(f"the passage {passage[:40]!r} has one word: LAMBADA needs what comes before the last one")
        context, target = [*begin, *encode(before)], encode(" " + word)
        with torch.inference_mode():
            logits, _ = decode(torch.tensor([context + target[:-1]], device=device), None)
        found = logits[0, len(context) - 1 :].float()  # (length of the word, V)
        wanted = torch.tensor(target, device=found.device)
        right += bool((found.argmax(1) == wanted).all())
        total -= float(found.log_softmax(1).gather(1, wanted[:, None]).sum())
        count += 1
    if not count:
        raise UserError("there are no passages to score")
    return right / count, math.exp(min(total / count, 700.0))
