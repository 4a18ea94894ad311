"""TextRank: the sentences of a text that are most like the others, by PageRank on their likeness.

Mihalcea and Tarau 2004. Two sentences are as alike as they share words, divided by the logarithms of their lengths. The
ranks are the stationary distribution of a reader who goes from a sentence to one like it, and with probability
1 - ``damping`` to any (Page and Brin 1998), found by power iteration. Nothing is learned.

    dive generate summarization/extractive --method textrank --prompt "..."
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lit_models.functional.rouge import Words


def likeness(sentences: Sequence[str], stem: bool = False) -> Tensor:
    """How alike N sentences are (N, N), float64, zero on the diagonal.

    Args:
        sentences: Texts.
        stem: Compare English words by their stems.
    """
    cutter = Words(stem)
    words = [cutter.tokenize(sentence) for sentence in sentences]
    found = torch.zeros(len(words), len(words), dtype=torch.float64)
    for i, first in enumerate(words):
        for j, second in enumerate(words[:i]):
            size = math.log(max(1, len(first))) + math.log(max(1, len(second)))
            found[i, j] = found[j, i] = len(set(first) & set(second)) / size if size > 0 else 0.0
    return found


def pagerank(weights: Tensor, damping: float = 0.85, tolerance: float = 1e-12, steps: int = 1000) -> Tensor:
    """The ranks (N,) of the nodes of a graph, which sum to one, by power iteration.

    Args:
        weights: From each node to each (N, N), not negative. A node without edges leads to every node.
        damping: Probability to follow an edge.
        tolerance: The iteration ends when the ranks change by less, in the sum.
        steps: At most so many.
    """
    n = len(weights)
    total = weights.sum(1, keepdim=True)
    forward = torch.where(total > 0, weights / total.clamp(min=1e-300), 1 / max(1, n))
    ranks = torch.full((n,), 1 / max(1, n), dtype=weights.dtype)
    for _ in range(steps):
        before, ranks = ranks, damping * ranks @ forward + (1 - damping) / max(1, n)
        if float((ranks - before).abs().sum()) < tolerance:
            break
    return ranks


def textrank(sentences: Sequence[str], most: int, stem: bool = False) -> list[int]:
    """The numbers of the ``most`` sentences of the highest rank, in the order of the text."""
    ranks = pagerank(likeness(sentences, stem)).tolist()
    return sorted(sorted(range(len(sentences)), key=lambda i: (-round(ranks[i], 9), i))[:most])
