"""The character n-grams of a word, and the row of a table for each.

Bojanowski et al. 2017, "Enriching word vectors with subword information", 3.2. D2L 15.6.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def ngrams(word: str, shortest: int = 3, longest: int = 6) -> list[str]:
    """The n-grams of ``<word>``, whose brackets mark its beginning and end; the whole is not among them.

    >>> ngrams("where", 3, 3)
    ['<wh', 'whe', 'her', 'ere', 're>']
    """
    marked = f"<{word}>"
    return [
        marked[i : i + n] for n in range(shortest, longest + 1) for i in range(len(marked) - n + 1) if n < len(marked)
    ]


def fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash of a text's UTF-8 bytes, signed bytes as in fastText's program."""
    value = 2166136261
    for byte in text.encode():
        value ^= byte if byte < 128 else byte | 0xFFFFFF00
        value = value * 16777619 & 0xFFFFFFFF
    return value


def subword_table(words: Sequence[str], size: int, buckets: int, width: int, limits: tuple[int, int]) -> Tensor:
    """The buckets of each word's n-grams (size, width) int32, -1 after the last one; more are left out.

    Args:
        words: The vocabulary, at most ``size``.
        size: Rows.
        buckets: Number of rows that n-grams share, by their hash.
        width: Largest number of n-grams of a word.
        limits: Shortest and longest n-gram.
    """
    table = torch.full((size, width), -1, dtype=torch.int32)
    for row, word in zip(table, words, strict=False):
        places = [fnv1a(piece) % buckets for piece in ngrams(word, *limits)][:width]
        row[: len(places)] = torch.tensor(places, dtype=torch.int32)
    return table
