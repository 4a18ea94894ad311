"""ROUGE (Lin 2004) that knows scripts: how much of a reference's words, pairs of words or order a summary has.

The counting is Google's ``rouge_score``. Its tokenizer deletes everything but a to z and 0 to 9: of two identical
Amharic texts it says 0.0. Here a word is a run of letters, marks and digits of any script, in NFKC and without case;
English words keep its stemmer. On English in ASCII the scores are those of ``rouge_score`` (test_rouge.py).
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

NAMES = {"rouge1": "r1", "rouge2": "r2", "rougeL": "rl"}


class Words:
    """Cuts texts into words for ``rouge_score``.

    Args:
        stem: Reduce English words of more than three letters by Porter's stemmer.
    """

    def __init__(self, stem: bool = False) -> None:
        from nltk.stem.porter import PorterStemmer  # of rouge_score

        self.stemmer = PorterStemmer() if stem else None

    def tokenize(self, text: str) -> list[str]:
        text = unicodedata.normalize("NFKC", text).lower()
        words = words_of(text)
        if self.stemmer is None:
            return words
        return [self.stemmer.stem(word) if len(word) > 3 and word.isascii() else word for word in words]


def words_of(text: str) -> list[str]:
    """Runs of letters, marks and digits. Python's ``\\w`` knows no combining marks: they would cut a word in two."""
    spaced = "".join(c if is_part(c) else " " for c in text)
    return spaced.split()


@lru_cache(maxsize=4096)
def is_part(sign: str) -> bool:
    """Whether a character belongs to a word: a letter, mark or digit, or a joiner within one."""
    return unicodedata.category(sign)[0] in "LMN" or sign in "\u200c\u200d"


@lru_cache(maxsize=4)
def scorer(stem: bool, order: bool = True) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([name for name in NAMES if order or name != "rougeL"], tokenizer=Words(stem))


def rouge(output: str, references: Sequence[str], stem: bool = False, order: bool = True) -> dict[str, float]:
    """The F-scores ``r1``, ``r2`` and ``rl`` of a text, 0 to 1, against the reference with the best ``r1``.

    Args:
        output: The text.
        references: One or more true texts.
        stem: For English.
        order: With ``rl``, which takes most of the time.
    """
    found = [scorer(stem, order).score(reference, output) for reference in references]
    best = max(found, key=lambda score: float(score["rouge1"].fmeasure))
    return {NAMES[name]: float(score.fmeasure) for name, score in best.items()}


def corpus_rouge(outputs: Sequence[str], references: Sequence[Sequence[str]], stem: bool = False) -> dict[str, float]:
    """The mean ``rouge`` of texts, 0 to 100."""
    scores = [rouge(output, true, stem) for output, true in zip(outputs, references, strict=True)]
    return {name: 100 * sum(score[name] for score in scores) / len(scores) for name in NAMES.values()}
