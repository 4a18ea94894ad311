"""Translation word by word with IBM model 1: a baseline. Each word is replaced by its most probable one, in order."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from common.ibm_model_1 import ibm_model_1

MOST_PAIRS = 10_000  # of sentences
LONGEST = 60  # words of a sentence
NONE = 0  # the source word that stands for no word


class WordByWord:
    """Probabilities t(target word | source word) of words that occur at least ``min_count`` times.

    Args:
        sources, targets: Pairs of sentences; the first 10,000 are used, and 60 words of each.
        iterations: Of expectation maximization.
        min_count: Rarer words are not learned.
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str], iterations: int = 5, min_count: int = 2) -> None:
        sides = [[text.split()[:LONGEST] for text in side[:MOST_PAIRS]] for side in (sources, targets)]
        names = [
            [word for word, n in Counter(w for row in side for w in row).items() if n >= min_count] for side in sides
        ]
        self.source_words = {word: k for k, word in enumerate(names[0], NONE + 1)}
        self.target_words = names[1]
        number = {word: k for k, word in enumerate(names[1])}
        sources_ids = [np.array([NONE, *known(row, self.source_words)]) for row in sides[0]]
        targets_ids = [np.array(known(row, number), dtype=np.int64) for row in sides[1]]
        self.first, self.second, self.probability = ibm_model_1(sources_ids, targets_ids, iterations)
        order = np.lexsort((self.probability, self.first))  # the last of each source word is the most probable
        self.best = dict(zip(self.first[order].tolist(), self.second[order].tolist(), strict=True))

    def translate(self, text: str) -> str:
        """Each word's most probable one; a word that was not learned stays."""
        found = []
        for word in text.split():
            best = self.best.get(self.source_words.get(word, -1))
            found.append(word if best is None else self.target_words[best])
        return " ".join(found)


def known(words: Sequence[str], number: dict[str, int]) -> list[int]:
    """The numbers of the words that have one."""
    return [number[word] for word in words if word in number]
