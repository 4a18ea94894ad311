"""Exact match and F1 of an answer as SQuAD's official script has them.

Rajpurkar et al. 2016 and 2018, ``evaluate-v2.0.py``: articles, punctuation and case do not count; of several right
answers the best counts; no answer is right only where there is none.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
PUNCTUATION = set(string.punctuation)


def normalized(text: str) -> str:
    """In lower case, without ASCII's punctuation and English articles, with single spaces."""
    kept = "".join(letter for letter in text.lower() if letter not in PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", kept).split())


def answer_scores(found: str, right: Sequence[str]) -> tuple[float, float]:
    """Exact match (0 or 1) and F1 of words, the best over all right answers; none given means "no answer".

    Args:
        found: The answer; empty for no answer.
        right: The right ones. Those with nothing left after normalization are left out, as in the script.
    """
    golds = [gold for gold in right if normalized(gold)] or [""]
    return (
        max(float(normalized(found) == normalized(gold)) for gold in golds),
        max(word_f1(found, gold) for gold in golds),
    )


def word_f1(found: str, right: str) -> float:
    """F1 of the words of two answers, counted with repetition."""
    a, b = normalized(found).split(), normalized(right).split()
    if not a or not b:
        return float(a == b)
    common = sum((Counter(a) & Counter(b)).values())
    return 2 * common / (len(a) + len(b))
