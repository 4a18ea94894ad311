"""What word vectors are trained on: each word with its neighbors, or how often two words are neighbors.

Mikolov et al. 2013, "Distributed representations of words and phrases", 2.3 (subsampling) and the authors' program (a
window of 1 to ``window`` words, drawn for each center); Pennington et al. 2014, "GloVe", 4.2 (counts weighted by the
inverse distance). D2L 15.3, which draws subsample, windows and negatives once; here an epoch draws its own.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from datamodules.base import TensorLoader


def keep_probability(counts: Tensor, threshold: float) -> Tensor:
    """The probability that an occurrence of each word stays: min(1, sqrt(threshold / its frequency)).

    Args:
        counts: Occurrences of each word (V,).
        threshold: t of the paper; 0 keeps all.
    """
    if not threshold:
        return torch.ones(len(counts))
    frequency = counts.double() / counts.sum().clamp(min=1)
    return (threshold / frequency.clamp(min=1e-300)).sqrt().clamp(max=1).float()


def windows(words: Tensor, sentence: Tensor, places: Tensor, window: int, reach: Tensor) -> tuple[Tensor, Tensor]:
    """The words at ``places`` (B,) and their neighbors (B, 2 window) within a sentence; -1 where there is none.

    Args:
        words: The text (N,).
        sentence: The number of each word's sentence (N,).
        places: Which words are centers (B,).
        window: Neighbors on each side, at most.
        reach: The same for each center (B,), 1 to ``window``.
    """
    offset = torch.cat([torch.arange(-window, 0), torch.arange(1, window + 1)])
    index = places[:, None] + offset
    inside = (index >= 0) & (index < len(words)) & (offset.abs() <= reach[:, None])
    flat = index.clamp_(0, len(words) - 1).flatten()  # index_select is faster than indexing by a matrix
    inside &= sentence.index_select(0, flat).view_as(index) == sentence.index_select(0, places)[:, None]
    return words.index_select(0, places), words.index_select(0, flat).view_as(index).masked_fill_(~inside, -1)


def all_windows(words: Tensor, sentence: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Every word with its full window: for evaluation."""
    places = torch.arange(len(words))
    return windows(words, sentence, places, window, torch.full_like(places, window))


class CenterLoader(TensorLoader):
    """Batches (center (B,), context (B, 2 window)) of a text in a random order; -1 fills the context.

    Each epoch draws which occurrences stay, and each center's window. Words that are left out are no neighbors either,
    so that windows reach further. The number of centers is that expected of the draw, so that all epochs are equally
    long; some centers are then left out, or come twice.

    Args:
        words, sentence: The text (N,), and the number of each word's sentence (N,).
        keep: Probability that an occurrence of each word stays (V,).
        window: Largest window.
        dynamic: Draw each center's window from 1 to ``window``; else all have ``window``.
        batch_size, **loader: See ``TensorLoader``.
    """

    def __init__(
        self, words: Tensor, sentence: Tensor, keep: Tensor, window: int, dynamic: bool, batch_size: int, **loader: int
    ) -> None:
        super().__init__((words, sentence), batch_size, True, **loader)  # type: ignore[arg-type]
        self.keep, self.window, self.dynamic = keep, window, dynamic
        self.centers = max(self.world, int(keep[words.long()].double().sum()))

    def __len__(self) -> int:
        return -(-(self.centers // self.world) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        generator, (words, sentence) = self.generator(), self.tensors
        kept = (torch.rand(len(words), generator=generator) < self.keep[words.long()]).nonzero().flatten()
        kept = kept if len(kept) else torch.arange(len(words))
        words, sentence = words[kept], sentence[kept]
        reach = torch.full((len(words),), self.window)
        if self.dynamic:
            reach = torch.randint(1, self.window + 1, (len(words),), generator=generator)
        order = torch.randperm(len(words), generator=generator)
        order = order.repeat(-(-self.centers // len(order)))[: self.centers - self.centers % self.world]
        order = order[self.rank :: self.world]
        start = self.batch if self.batch < len(self) else 0
        for k in range(start, len(self)):
            self.batch = k + 1  # before the yield, as in TensorLoader
            places = order[k * self.batch_size : (k + 1) * self.batch_size]
            rows = windows(words, sentence, places, self.window, reach[places])
            yield tuple(row.pin_memory() for row in rows) if self.pin_memory else rows


def cooccurrences(
    words: Tensor, sentence: Tensor, window: int, vocab_size: int, weighted: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """How often each two words are neighbors, in both orders: rows (P,), columns (P,), counts (P,) float32.

    Args:
        words, sentence: The text (N,), and the number of each word's sentence (N,).
        window: Neighbors on each side.
        vocab_size: V, larger than any word.
        weighted: A neighbor at distance d counts 1 / d, else 1.
    """
    keys, weights = [], []
    long = words.long()
    for d in range(1, min(window, len(words) - 1) + 1):
        same = sentence[:-d] == sentence[d:]
        left, right = long[:-d][same], long[d:][same]
        keys += [left * vocab_size + right, right * vocab_size + left]
        weights.append(torch.full((2 * len(left),), 1 / d if weighted else 1.0, dtype=torch.float64))
    if not keys:
        return long[:0], long[:0], torch.zeros(0)
    pairs, place = torch.unique(torch.cat(keys), return_inverse=True)
    counts = torch.bincount(place, torch.cat(weights), minlength=len(pairs))
    return (pairs // vocab_size).int(), (pairs % vocab_size).int(), counts.float()
