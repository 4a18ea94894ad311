"""A unigram language model of pieces: a word is cut in the most probable way; what is not needed is dropped.

Kudo 2018, "Subword regularization". D2L has none of it; Hugging Face course 6.7.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

PENALTY = 10.0  # of an unknown character: its log probability is this far below the lowest, as in ``tokenizers``


class Unigram:
    """Pieces with log probabilities.

    Args:
        scores: log P of each piece, in the order of their ids.
        unknown: The id of a character that no piece has.
    """

    def __init__(self, scores: Sequence[tuple[str, float]], unknown: int = 0) -> None:
        self.scores, self.unknown = list(scores), unknown
        self.ids = {piece: i for i, (piece, _) in enumerate(self.scores)}
        self.longest = max(len(piece) for piece, _ in self.scores)
        self.unknown_score = min(score for _, score in self.scores) - PENALTY

    def pieces_at(self, word: str, end: int) -> list[tuple[int, str, float]]:
        """The pieces that end at a place: where each begins, itself, its score."""
        found = []
        for start in range(max(0, end - self.longest), end):
            piece = word[start:end]
            if piece in self.ids and self.ids[piece] != self.unknown:
                found.append((start, piece, self.scores[self.ids[piece]][1]))
        if not any(start == end - 1 for start, _, _ in found):
            found.append((end - 1, word[end - 1], self.unknown_score))
        return found

    def encode_word(self, word: str) -> list[str]:
        """The most probable pieces (Viterbi); unknown characters side by side are one piece."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(word) + 1):
            best.append(max((best[start][0] + score, start) for start, _, score in self.pieces_at(word, end)))
        found: list[str] = []
        end = len(word)
        while end:
            start = best[end][1]
            piece = word[start:end]
            if found and piece not in self.ids and found[-1] not in self.ids:
                found[-1] = piece + found[-1]
            else:
                found.append(piece)
            end = start
        return found[::-1]

    def log_likelihood(self, word: str) -> float:
        """log of the sum over all ways to cut a word."""
        return self.forward(word)[-1]

    def forward(self, word: str) -> list[float]:
        """At each place the log of the sum over all ways to cut what is before it."""
        sums = [0.0]
        for end in range(1, len(word) + 1):
            sums.append(log_sum([sums[start] + score for start, _, score in self.pieces_at(word, end)]))
        return sums

    def expected_counts(self, words: Mapping[str, int]) -> dict[str, float]:
        """How often each piece is used, on average over all ways to cut each word: the E step."""
        counts: dict[str, float] = defaultdict(float)
        for word, count in words.items():
            before = self.forward(word)
            after = [-math.inf] * len(word) + [0.0]
            for end in range(len(word), 0, -1):
                for start, piece, score in self.pieces_at(word, end):
                    after[start] = log_sum([after[start], after[end] + score])
                    counts[piece] += count * math.exp(before[start] + score + after[end] - before[-1])
        return counts

    @classmethod
    def train(
        cls,
        words: Mapping[str, int],
        size: int,
        unknown: str = "<unk>",
        rounds: int = 2,
        shrink: float = 0.75,
        seed_size: int = 10_000,
        longest: int = 16,
    ) -> "Unigram":
        """Expectation and maximization, then pruning, until ``size`` pieces are left; single characters stay.

        Args:
            words: How often each word occurs.
            size: Pieces, with the unknown one and all characters.
            unknown: The first piece.
            rounds: E and M steps before each pruning.
            shrink: Fraction of the pieces that a pruning keeps.
            seed_size: Pieces of the start: the most frequent substrings, weighted by their length.
            longest: Characters of a piece.
        """
        seeds: Counter[str] = Counter()
        for word, count in words.items():
            for start in range(len(word)):
                for end in range(start + 1, min(len(word), start + longest) + 1):
                    seeds[word[start:end]] += count
        single = {piece for piece in seeds if len(piece) == 1}
        ranked = sorted(seeds, key=lambda piece: (-seeds[piece] * len(piece), piece))
        kept = set([p for p in ranked if seeds[p] > 1 or p in single][:seed_size]) | single
        counts = {piece: float(seeds[piece]) for piece in kept}
        while True:
            for _ in range(rounds):
                counts = dict(cls(scored(counts, unknown)).expected_counts(words))
                counts |= {piece: max(counts.get(piece, 0.0), 1e-6) for piece in single}
            if len(counts) + 1 <= size:
                return cls(scored(counts, unknown))
            model = cls(scored(counts, unknown))
            wanted = max(size - 1, int(shrink * len(counts)))
            losses = model.losses(words, [piece for piece in counts if piece not in single])
            best = sorted(losses, key=lambda piece: (-losses[piece], piece))[: max(0, wanted - len(single))]
            counts = {piece: counts[piece] for piece in [*single, *best]}

    def losses(self, words: Mapping[str, int], pieces: Sequence[str]) -> dict[str, float]:
        """How much less probable the text is without each piece, where the best way to cut it uses it."""
        used: Counter[str] = Counter()
        for word, count in words.items():
            for piece in self.encode_word(word):
                used[piece] += count
        found = {}
        for piece in pieces:
            without = Unigram([row for row in self.scores if row[0] != piece], self.unknown)
            instead = sum(without.scores[without.ids[p]][1] for p in without.encode_word(piece) if p in without.ids)
            found[piece] = used[piece] * (self.scores[self.ids[piece]][1] - instead)
        return found


def scored(counts: Mapping[str, float], unknown: str) -> list[tuple[str, float]]:
    """Pieces with the logs of their shares, the unknown one first: the M step."""
    total = sum(counts.values())
    pieces = sorted((p for p, n in counts.items() if n > 0), key=lambda piece: (-counts[piece], piece))
    return [(unknown, 0.0), *((piece, math.log(counts[piece] / total)) for piece in pieces)]


def log_sum(values: Sequence[float]) -> float:
    """log of a sum of exponentials."""
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values)) if top > -math.inf else top
