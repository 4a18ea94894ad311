"""BLEU (Papineni et al. 2002): sacreBLEU's, which is comparable with other work, and the book's (D2L 10.7.6)."""

import math
from collections import Counter
from collections.abc import Sequence


def corpus_bleu(outputs: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """sacreBLEU of a corpus, 0 to 100, one reference each, and its signature. Texts are detokenized sentences."""
    from sacrebleu.metrics.bleu import BLEU  # imported here, since most commands do not need it

    metric = BLEU()
    return metric.corpus_score(list(outputs), [list(references)]).score, str(metric.get_signature())


def book_bleu(output: str, label: str, max_n: int) -> float:
    """The book's BLEU of one sentence, words separated by spaces, 0 to 1.

    ``exp(min(0, 1 - len(label) / len(output))) * prod_n p_n ** (1 / 2 ** n)``: long matches weigh more than in
    Papineni's geometric mean, where every exponent is 1 / max_n. n stops at the output's length. Departs from the book:
    an empty output scores 0 instead of dividing by zero.
    """
    words, true = output.split(), label.split()
    if not words:
        return 0.0
    score = math.exp(min(0.0, 1 - len(true) / len(words)))
    for n in range(1, min(max_n, len(words)) + 1):
        score *= precision(words, true, n) ** 0.5**n
    return score


def precision(words: list[str], true: list[str], n: int) -> float:
    """The fraction of the n-grams of ``words`` that are in ``true``, each of which is matched once."""
    have = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    want = Counter(zip(*(true[i:] for i in range(n)), strict=False))
    return sum((have & want).values()) / sum(have.values())
