"""An n-gram model as the baseline of language models: counts, interpolated by Witten and Bell's rule.

``p_n(w | h) = (c(h w) + t(h) p_{n-1}(w | h')) / (c(h) + t(h))``, where t(h) is the number of different tokens seen
after h (Witten and Bell 1991; Chen and Goodman 1998, 2.6). The base is uniform. D2L 9.3 has Laplace's rule.
"""

import numpy as np


def ngram_loss(train: np.ndarray, test: np.ndarray, vocab_size: int, order: int) -> float:
    """The mean of -log p in nats over all test tokens but the first, each predicted from at most ``order`` - 1 before.

    Args:
        train, test: Tokens (N,) and (M,), 0 to ``vocab_size`` - 1.
        vocab_size: V.
        order: n, at least 1.
    """
    train, test = train.astype(np.int64), test.astype(np.int64)
    p = np.full(len(test) - 1, 1 / vocab_size)
    for n in range(1, order + 1):
        contexts, words = numbered(train, test, n - 1, vocab_size)  # of the training part and of the test part
        keys, counts = np.unique(contexts[0] * vocab_size + words[0], return_counts=True)
        after = np.bincount(keys // vocab_size)  # different tokens after each context
        total = np.bincount(contexts[0], minlength=len(after))
        wanted = contexts[1] * vocab_size + words[1]
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        count = np.where(keys[place] == wanted, counts[place], 0)
        known = contexts[1] < len(after)
        context = np.where(known, contexts[1], 0)
        kinds, whole = np.where(known, after[context], 0), np.where(known, total[context], 0)
        fits = slice(max(0, n - 2), None)  # the first test tokens have fewer tokens before them
        new = (count + kinds * p[fits]) / np.maximum(whole + kinds, 1)
        p[fits] = np.where(whole > 0, new, p[fits])
    return float(-np.log(p).mean())


def numbered(
    train: np.ndarray, test: np.ndarray, length: int, vocab_size: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """((contexts of train, of test), (their next words)): contexts of ``length`` tokens as numbers; contexts of the
    training part have the lower numbers. The first token of the test part is not predicted.
    """
    if length == 0:
        zeros = np.zeros(len(train), np.int64), np.zeros(len(test) - 1, np.int64)
        return zeros, (train, test[1:])
    number, rest = [train[: len(train) - length], test[: len(test) - length]], 0
    for shift in range(length):  # a context is the number of the shorter context and one token more
        if shift:
            pairs = [
                n * vocab_size + text[shift : len(text) - length + shift]
                for n, text in zip(number, (train, test), strict=True)
            ]
        else:
            pairs = number
        distinct, inverse = np.unique(np.concatenate(pairs), return_inverse=True)
        number = [inverse[: len(pairs[0])], inverse[len(pairs[0]) :]]
        rest = len(distinct)
    mine = np.zeros(rest, bool)
    mine[number[0]] = True
    final = np.where(mine, np.cumsum(mine) - 1, mine.sum() + np.cumsum(~mine) - 1)
    return (final[number[0]], final[number[1]]), (train[length:], test[length:])
