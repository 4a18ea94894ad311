"""Text infilling: spans of a text are replaced by one mask each, and the text is to be restored.

Lewis et al. 2020, "BART", 2.2; Liu et al. 2020, "Multilingual denoising pre-training" (mBART), 2.2. A span has a number
of tokens from a Poisson distribution with mean 3; one of no tokens puts a mask between two. Masks are put until 35 % of
the tokens are hidden (mBART; 30 % in BART). A network that restores texts has learned to write them before it sees the
first translation.
"""

import math
import random
from collections.abc import Sequence

from datamodules.text.tokenizers import Tokenizer

RATE, MEAN = 0.35, 3.0  # mBART's


def infill(tokens: list[int], mask_id: int, draw: random.Random, rate: float = RATE, mean: float = MEAN) -> list[int]:
    """The tokens with spans replaced by ``mask_id``; at least one, where there are tokens.

    Args:
        tokens: A text.
        mask_id: The mask.
        draw: Random numbers.
        rate: The fraction of the tokens that is hidden.
        mean: Tokens of a span, on average.
    """
    left = math.ceil(rate * len(tokens))  # tokens to hide
    hidden = [False] * len(tokens)
    inserted = [False] * (len(tokens) + 1)  # a mask before the token
    while left:
        length = min(poisson(mean, draw), left)
        if not length:
            inserted[draw.randint(0, len(tokens))] = True
            left -= 1  # else short texts would have any number of them
            continue
        starts = [i for i in range(len(tokens) - length + 1) if not any(hidden[max(0, i - 1) : i + length + 1])]
        if not starts:  # no room between the spans so far
            break
        start = draw.choice(starts)
        hidden[start : start + length] = [True] * length
        left -= length
    found: list[int] = []
    for i, token in enumerate(tokens):
        begins = hidden[i] and not (i and hidden[i - 1])
        if begins or (inserted[i] and not hidden[i] and not (i and hidden[i - 1])):
            found.append(mask_id)
        if not hidden[i]:
            found.append(token)
    if inserted[-1] and not (tokens and hidden[-1]):
        found.append(mask_id)
    return found


def poisson(mean: float, draw: random.Random) -> int:
    """A number of a Poisson distribution, by products of uniform ones (Knuth 1969)."""
    limit, product, count = math.exp(-mean), draw.random(), 0
    while product > limit:
        product *= draw.random()
        count += 1
    return count


def head_length(tokenizer: Tokenizer, row: Sequence[int], head: str) -> int:
    """How many tokens of a row are those of the text that it begins with, however it was cut."""
    left, count = sum(len(tokenizer.tokens[i]) for i in tokenizer.encode(head)) if head else 0, 0
    while left > 0 and count < len(row):
        left -= len(tokenizer.tokens[row[count]])
        count += 1
    return count
