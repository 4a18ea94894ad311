"""IBM model 1 (Brown et al. 1993): which word of one language stands for which of the other, by pairs of sentences.

Each target word is caused by one source word, or by none; all are equally likely beforehand. Expectation maximization
counts, for each pair of sentences, how much each source word is responsible for each target word, and takes the counts
for the new probabilities. A floor for translation: each word is replaced by its most probable one, in the same order.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

MOST_PAIRS = 10_000  # of sentences
LONGEST = 60  # words of a sentence
NONE = 0  # the source word that stands for no word


class WordByWord:
    """Probabilities t(target word | source word).

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
        #: The pairs of words that meet in a sentence, by the target word's occurrence: source word, target word, which.
        source, target, place = (np.array(part, dtype=np.int64) for part in self._meetings(sides, number))
        self.pairs, which = np.unique(source * (len(names[1]) + 1) + target, return_inverse=True)
        self.first, self.second = np.divmod(self.pairs, len(names[1]) + 1)
        self.probability = np.full(len(self.pairs), 1.0 / max(1, len(names[1])))
        for _ in range(iterations if len(which) else 0):
            share = self.probability[which]
            share /= np.bincount(place, share)[place]  # the responsibility of each source word for this target word
            counts = np.bincount(which, share, len(self.pairs))
            self.probability = counts / np.bincount(self.first, counts)[self.first]
        order = np.lexsort((self.probability, self.first))  # the last of each source word is the most probable
        self.best = dict(zip(self.first[order].tolist(), self.second[order].tolist(), strict=True))

    def _meetings(self, sides: list[list[list[str]]], number: dict[str, int]) -> tuple[list[int], list[int], list[int]]:
        source: list[int] = []
        target: list[int] = []
        place: list[int] = []
        count = 0
        for words, others in zip(*sides, strict=True):
            left = [NONE, *(self.source_words[word] for word in words if word in self.source_words)]
            for other in others:
                if other in number:
                    source += left
                    target += [number[other]] * len(left)
                    place += [count] * len(left)
                    count += 1
        return source, target, place

    def translate(self, text: str) -> str:
        """Each word's most probable one; a word that was not learned stays."""
        found = []
        for word in text.split():
            known = self.best.get(self.source_words.get(word, -1))
            found.append(word if known is None else self.target_words[known])
        return " ".join(found)
