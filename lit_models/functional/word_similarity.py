"""What word vectors are good for: nearest neighbors, analogies, agreement with human judgments of similarity.

Mikolov et al. 2013, "Linguistic regularities in continuous space word representations" (3CosAdd); Levy and Goldberg
2014, "Linguistic regularities in sparse and explicit word representations" (3CosMul). D2L 15.7, which does not exclude
the words of the question, so that its answer is often one of them.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Analogy = tuple[str, str, str, str]  # a is to b as c is to d


def unit(vectors: Tensor) -> Tensor:
    """Vectors (..., E) of length one; a zero vector stays zero."""
    return F.normalize(vectors, dim=-1, eps=1e-12)


def nearest(vectors: Tensor, query: Tensor, exclude: Sequence[int] = (), count: int = 10) -> tuple[Tensor, Tensor]:
    """The numbers (count,) and cosines (count,) of the vectors (V, E) nearest to a query (E,), the nearest first."""
    cosine = unit(vectors) @ unit(query)
    cosine[list(exclude)] = -2
    values, places = cosine.topk(min(count, len(vectors) - len(set(exclude))))
    return places, values


def solve_analogies(
    vectors: Tensor, questions: Tensor, method: Literal["add", "mul"] = "add", exclude: bool = True, chunk: int = 256
) -> Tensor:
    """The answer (Q,) to "a is to b as c is to ?".

    ``add`` (3CosAdd): the largest cos(d, b) - cos(d, a) + cos(d, c). ``mul`` (3CosMul): the largest
    cos(d, b) cos(d, c) / (cos(d, a) + 0.001), with the cosines moved to [0, 1].

    Args:
        vectors: (V, E).
        questions: a, b and c (Q, 3).
        method: How the three cosines are combined.
        exclude: The words of the question are no answers; False is the book's.
        chunk: Questions at a time.
    """
    vectors, answers = unit(vectors), []
    for part in questions.split(chunk):
        a, b, c = (vectors[part[:, i]] @ vectors.T for i in range(3))  # (Q, V) each
        if method == "add":
            scores = b - a + c
        else:
            a, b, c = ((x + 1) / 2 for x in (a, b, c))
            scores = b * c / (a + 0.001)
        if exclude:
            scores.scatter_(1, part, -torch.inf)
        answers.append(scores.argmax(1))
    return torch.cat(answers) if answers else questions.new_zeros(0)


def spearman(x: Tensor, y: Tensor) -> float:
    """Spearman's rank correlation; equal values share their mean rank."""
    ranks = torch.stack([mean_ranks(x), mean_ranks(y)])
    ranks = ranks - ranks.mean(1, keepdim=True)
    return float(F.cosine_similarity(ranks[0], ranks[1], dim=0, eps=1e-12))


def mean_ranks(x: Tensor) -> Tensor:
    """The rank of each value (N,), from 0; equal values have the mean of their ranks."""
    _, place, count = x.double().unique(return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    return (last - (count + 1) / 2)[place]


def word_metrics(
    vectors: Tensor, vocabulary: Sequence[str], tests: Mapping[str, Mapping[str, Sequence]]
) -> dict[str, float]:
    """Each test's score under its name, with ``NAME_coverage`` below 1: questions with an unknown word are left out.

    Args:
        vectors: (V, E) of the words of the vocabulary.
        vocabulary: V words.
        tests: ``similarity`` gives Spearman's correlation; ``analogies`` the accuracy of 3CosAdd, and of 3CosMul as
            ``NAME_mul``; ``neighbors`` the fraction of words whose nearest neighbor is a right one.
    """
    number = {word: i for i, word in enumerate(vocabulary)}
    found: dict[str, float] = {}

    def known(name: str, rows: Sequence, size: int) -> list:
        kept = [row for row in rows if all(word in number for word in row[:size])]
        if len(kept) < len(rows):
            found[f"{name}_coverage"] = len(kept) / len(rows)
        return kept

    for name, pairs in tests.get("similarity", {}).items():
        kept = known(name, pairs, 2)
        if len(kept) > 1:
            left, right = (unit(vectors[[number[row[i]] for row in kept]]) for i in (0, 1))
            scores = torch.tensor([float(row[2]) for row in kept], device=vectors.device)
            found[name] = spearman((left * right).sum(1), scores)
    for name, questions in tests.get("analogies", {}).items():
        kept = known(name, questions, 4)
        if kept:
            rows = torch.tensor([[number[word] for word in row] for row in kept], device=vectors.device)
            for method, ending in (("add", ""), ("mul", "_mul")):
                answer = solve_analogies(vectors, rows[:, :3], method)  # type: ignore[arg-type]
                found[name + ending] = float((answer == rows[:, 3]).float().mean())
    for name, asked in tests.get("neighbors", {}).items():
        kept = known(name, asked, 1)
        if kept:
            places = [number[word] for word, _ in kept]
            answers = [vocabulary[int(nearest(vectors, vectors[i], [i], 1)[0])] for i in places]
            found[name] = sum(a in set(good) for a, (_, good) in zip(answers, kept, strict=True)) / len(kept)
    return found
