"""IBM model 1 (Brown et al. 1993): the probability t(target token | source token), learned from pairs of sentences.

Each target token is caused by one source token of its sentence; all are equally likely beforehand. Expectation
maximization counts, for each pair of sentences, how much each source token is responsible for each target token, and
takes the counts for the new probabilities. Two users: ``WordByWord``, a baseline on words, and ``lexicon``, from which
a network starts that has few pairs (``lit_models/translation/lexical.py``).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

MOST_MEETINGS = 30_000_000  # of a source token with a target token, for a lexicon: 2 GB of memory


def ibm_model_1(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], iterations: int = 5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of tokens that occur together in a pair of sentences, and their probabilities.

    Args:
        sources, targets: Ids (S,) and (T,) of each pair of sentences, 0 or more.
        iterations: Of expectation maximization.

    Returns:
        Source tokens (N,), ascending, target tokens (N,), and t(target | source) (N,), which sums to 1 over a source
        token's rows.
    """
    source = join([np.tile(s, len(t)) for s, t in zip(sources, targets, strict=True)])
    target = join([np.repeat(t, len(s)) for s, t in zip(sources, targets, strict=True)])
    lengths = join([np.full(len(t), len(s)) for s, t in zip(sources, targets, strict=True)])
    place = np.repeat(np.arange(len(lengths)), lengths)  # which occurrence of a target token
    size = int(target.max(initial=0)) + 1
    pairs, which = np.unique(source * size + target, return_inverse=True)
    first, second = np.divmod(pairs, size)
    probability = np.full(len(pairs), 1.0 / max(1, len(np.unique(target))))
    for _ in range(iterations if len(which) else 0):
        share = probability[which]
        share /= np.bincount(place, share)[place]  # the responsibility of each source token for this target token
        counts = np.bincount(which, share, len(pairs))
        probability = counts / np.bincount(first, counts)[first]
    return first, second, probability


def join(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)


def lexicon(
    rows: tuple[Tensor, ...], vocab_size: int, candidates: int, pad_id: int = 0, shared: bool = True
) -> tuple[Tensor, Tensor]:
    """The most probable target tokens of each source token.

    Args:
        rows: source (N, S), source_length (N,), target_in and target_out (N, T). Of many pairs each second or
            third is used, so that all parts of the training split, such as its languages, are in the lexicon.
        vocab_size: V of the sources.
        candidates: K.
        pad_id: Padding of the targets.
        shared: Both sides have one vocabulary: a source token that was not learned stands for itself, and so does,
            with a count of one, each other token, so that what is rare (names, numbers) may be copied.

    Returns:
        Ids (V, K), int64, and their probabilities (V, K), which sum to at most 1; 0 where there are fewer than K.
    """
    meetings = int(((rows[1].long() + 1) * (rows[3] != pad_id).sum(1)).sum())
    source, length, _, target = (part[:: 1 + meetings // MOST_MEETINGS].numpy() for part in rows)
    none = vocab_size  # a source token in each sentence that stands for no token: it is left out of the lexicon
    sources = [np.append(row[:n], none) for row, n in zip(source, length, strict=True)]
    first, second, probability = ibm_model_1(sources, [row[row != pad_id] for row in target])
    kept = first < none
    first, second, probability = first[kept], second[kept], probability[kept]
    if shared:
        seen = np.bincount(join(sources), minlength=vocab_size)[:vocab_size]
        probability = probability * (seen / (seen + 1.0))[first]
        first, second = np.append(first, np.arange(vocab_size)), np.append(second, np.arange(vocab_size))
        probability = np.append(probability, 1.0 / (seen + 1.0))
    order = np.lexsort((-probability, first))
    first, second, probability = first[order], second[order], probability[order]
    rank = np.arange(len(first)) - np.searchsorted(first, first)  # among the source token's candidates
    kept = rank < candidates
    place = torch.from_numpy(first[kept]), torch.from_numpy(rank[kept])
    ids, found = torch.zeros(vocab_size, candidates, dtype=torch.long), torch.zeros(vocab_size, candidates)
    ids[place], found[place] = torch.from_numpy(second[kept]), torch.from_numpy(probability[kept]).float()
    return ids, found
