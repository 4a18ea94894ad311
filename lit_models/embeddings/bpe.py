"""Byte-pair encoding by hand: the most frequent pair of neighbors becomes a token, again and again.

Gage 1994; Sennrich et al. 2016; Radford et al. 2019 for bytes instead of characters. D2L 15.6.2; Hugging Face course
6.5. Departs from the book: a merge joins two neighboring tokens of a list, where the book replaces text and may join
across tokens; of equally frequent pairs that of the smaller ids is merged, as in the library ``tokenizers``, so that
the merges do not depend on the order of a dictionary; a word is encoded by the merges in their order, not by the
longest token.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

Pair = tuple[int, int]


def byte_characters() -> dict[int, str]:
    """A printable character for each byte, as GPT-2 has them: ASCII and Latin-1 stay, the others follow from 256 on."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in set(kept)]
    return {b: chr(b) for b in kept} | {b: chr(256 + i) for i, b in enumerate(others)}


BYTES = byte_characters()


def as_bytes(word: str) -> str:
    """A word as the printable characters of its UTF-8 bytes: no word has an unknown one."""
    return "".join(BYTES[b] for b in word.encode())


def merged(ids: list[int], pair: Pair, new: int) -> list[int]:
    """The list with each occurrence of the pair, from the left, replaced by the new id."""
    found, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            found.append(new)
            i += 2
        else:
            found.append(ids[i])
            i += 1
    return found


class BPE:
    """A vocabulary and its merges.

    Args:
        vocabulary: Tokens in the order of their ids.
        merges: Pairs of tokens in the order in which they were learned.
    """

    def __init__(self, vocabulary: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        self.vocabulary, self.merges = list(vocabulary), list(merges)
        self.ids = {token: i for i, token in enumerate(self.vocabulary)}
        self.rank = {pair: i for i, pair in enumerate(self.merges)}

    @classmethod
    def train(cls, words: Mapping[str, int], size: int, specials: Sequence[str] = (), min_count: int = 0) -> "BPE":
        """Learns merges until the vocabulary has ``size`` entries, or no pair occurs ``min_count`` times.

        Args:
            words: How often each word occurs; of bytes, ``as_bytes`` of each.
            size: Entries: specials, the characters by code point, then the merged tokens.
            specials: First entries.
            min_count: Rarer pairs are not merged.
        """
        vocabulary = [*specials, *sorted({c for word in words for c in word} - set(specials))]
        ids = {token: i for i, token in enumerate(vocabulary)}
        texts = [([ids[c] for c in word], count) for word, count in words.items()]
        pairs: Counter[Pair] = Counter()
        where: dict[Pair, set[int]] = {}
        for k, (text, count) in enumerate(texts):
            for pair in pairwise(text):
                pairs[pair] += count
                where.setdefault(pair, set()).add(k)
        merges: list[tuple[str, str]] = []
        while len(vocabulary) < size and pairs:
            best = min(pairs, key=lambda pair: (-pairs[pair], pair))
            if pairs[best] < max(1, min_count):
                break
            first, second = vocabulary[best[0]], vocabulary[best[1]]
            merges.append((first, second))
            new = ids.setdefault(first + second, len(vocabulary))
            if new == len(vocabulary):
                vocabulary.append(first + second)
            for k in where.pop(best):
                old, count = texts[k]
                text = merged(old, best, new)
                for pair in pairwise(old):
                    pairs[pair] -= count
                for pair in pairwise(text):
                    pairs[pair] += count
                    where.setdefault(pair, set()).add(k)
                texts[k] = (text, count)
            del pairs[best]
        return cls(vocabulary, merges)

    def encode_word(self, word: str) -> list[str]:
        """The tokens of a word: the merge learned first is applied first; characters that are unknown are left out."""
        tokens = [c for c in word if c in self.ids]
        while len(tokens) > 1:
            best = min(pairwise(tokens), key=lambda pair: self.rank.get(pair, len(self.rank)))
            if best not in self.rank:
                break
            joined, i = [], 0
            while i < len(tokens):
                if tuple(tokens[i : i + 2]) == best:
                    joined.append(tokens[i] + tokens[i + 1])
                    i += 2
                else:
                    joined.append(tokens[i])
                    i += 1
            tokens = joined
        return tokens

    def longest_first(self, word: str) -> list[str]:
        """The book's segmentation (D2L 15.6.2): the longest token that begins the rest."""
        found: list[str] = []
        rest = word
        while rest:
            end = next((k for k in range(len(rest), 0, -1) if rest[:k] in self.ids), 0)
            if not end:
                return [*found, "[UNK]"]
            found.append(rest[:end])
            rest = rest[end:]
        return found
