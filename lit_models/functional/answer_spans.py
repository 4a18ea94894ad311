"""The most probable answers in a passage from the logits of their first and last tokens, and over several windows.

Devlin et al. 2019, 4.2 and 4.3. A long passage is read in windows that overlap; the best spans of all windows of a
question compete with "no answer", whose score is that of the first token, the lowest over the windows.
"""

from collections import defaultdict
from typing import NamedTuple

import torch
from torch import Tensor


class Candidate(NamedTuple):
    """A span: its score, the number of its window, its first and last token there."""

    score: float
    window: int
    first: int
    last: int


def best_spans(start: Tensor, end: Tensor, passage: Tensor, count: int, longest: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, first and last tokens (B, K) of the best spans; a span that does not exist has the score -inf.

    Args:
        start, end: Logits (B, T) of each token.
        passage: Which tokens (B, T) a span may begin and end with.
        count: K, at most T * T.
        longest: Tokens of the longest span.
    """
    width = start.shape[1]
    places = torch.arange(width, device=start.device)
    length = places - places[:, None]  # (T, T): last minus first
    allowed = (length >= 0) & (length < longest) & passage[:, :, None] & passage[:, None]
    scores = (start[:, :, None] + end[:, None]).masked_fill(~allowed, -torch.inf)  # (B, T, T)
    best, index = scores.flatten(1).topk(min(count, width * width), dim=1)
    return best, index // width, index % width


def by_question(windows: Tensor, question: Tensor) -> dict[int, tuple[float, list[Candidate]]]:
    """For each question the score of "no answer" and the candidates of all its windows, the best first.

    Args:
        windows: (N, 2 + 3 K): the number of the window, its score of no answer, and K times score, first, last.
        question: The question (number of windows,) of each window.
    """
    nothing: dict[int, float] = {}
    found: dict[int, list[Candidate]] = defaultdict(list)
    for row in windows.tolist():
        window = int(row[0])
        asked = int(question[window])
        nothing[asked] = min(row[1], nothing.get(asked, torch.inf))
        for k in range(2, len(row), 3):
            if row[k] > -torch.inf:
                found[asked].append(Candidate(row[k], window, int(row[k + 1]), int(row[k + 2])))
    return {asked: (score, sorted(found[asked], reverse=True)) for asked, score in nothing.items()}
