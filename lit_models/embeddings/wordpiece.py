"""WordPiece by hand, as BERT reads: cleaned words, then the longest piece that fits, from the left.

Schuster and Nakajima 2012; Devlin et al. 2019 for the cleaning. D2L 15.8 has none of it; Hugging Face course 6.6.
The uncased models strip accents: every combining mark after canonical decomposition. Languages that write tone with
marks lose it: Yoruba ``ọkọ̀`` (vehicle) and ``ọkọ`` (husband) become the same word.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

_CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F))
CJK = (*_CJK, (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


def clean(text: str) -> str:
    """Without control characters; every kind of space is a space."""
    kept = []
    for c in text:
        if c in "\t\n\r" or unicodedata.category(c) in ("Zs", "Zl", "Zp"):
            kept.append(" ")
        elif ord(c) not in (0, 0xFFFD) and not unicodedata.category(c).startswith("C"):
            kept.append(c)
    return "".join(kept)


def is_punctuation(c: str) -> bool:
    """Every ASCII sign, also ``$`` and ``^``, which Unicode does not call punctuation, and Unicode's punctuation."""
    return (c.isascii() and c.isprintable() and not c.isalnum() and c != " ") or unicodedata.category(c).startswith("P")


def is_cjk(c: str) -> bool:
    """Whether a character is a Chinese one, each of which is a word."""
    return any(low <= ord(c) <= high for low, high in CJK)


def basic_words(text: str, lower: bool = True) -> list[str]:
    """A text as words and single signs, as BERT cuts it before WordPiece.

    Args:
        text: Any text.
        lower: The uncased models': lower case, without combining marks.
    """
    text = "".join(f" {c} " if is_cjk(c) else c for c in clean(text))
    if lower:
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn").lower()
    spaced = "".join(f" {c} " if is_punctuation(c) else c for c in text)
    return spaced.split()


class WordPiece:
    """A vocabulary whose entries begin a word, or continue one with ``##``.

    Args:
        vocabulary: Entries in the order of their ids.
        unknown: The token of a word that no pieces make up.
        longest: Longer words are unknown.
    """

    def __init__(self, vocabulary: Sequence[str], unknown: str = "[UNK]", longest: int = 100) -> None:
        self.vocabulary, self.unknown, self.longest = list(vocabulary), unknown, longest
        self.ids = {token: i for i, token in enumerate(self.vocabulary)}

    def encode_word(self, word: str) -> list[str]:
        """The longest entry that begins the rest, again and again; the whole word is unknown if a rest has none."""
        if len(word) > self.longest:
            return [self.unknown]
        found: list[str] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            end = next((k for k in range(len(word), start, -1) if prefix + word[start:k] in self.ids), start)
            if end == start:
                return [self.unknown]
            found.append(prefix + word[start:end])
            start = end
        return found

    def encode(self, text: str, lower: bool = True) -> list[int]:
        """The ids of a text, without ``[CLS]`` and ``[SEP]``."""
        return [self.ids[token] for word in basic_words(text, lower) for token in self.encode_word(word)]

    @classmethod
    def train(cls, words: Mapping[str, int], size: int, specials: Sequence[str] = ("[PAD]", "[UNK]")) -> "WordPiece":
        """Merges the pair whose count is largest beside those of its parts: count(ab) / (count(a) count(b)).

        Args:
            words: How often each word occurs.
            size: Entries: specials, characters, merged pieces.
            specials: First entries.
        """
        texts = {word: [c if i == 0 else f"##{c}" for i, c in enumerate(word)] for word in words}
        vocabulary = [*specials, *sorted({piece for text in texts.values() for piece in text})]
        while len(vocabulary) < size:
            single: dict[str, int] = {}
            pairs: dict[tuple[str, str], int] = {}
            for word, text in texts.items():
                for piece in text:
                    single[piece] = single.get(piece, 0) + words[word]
                for pair in pairwise(text):
                    pairs[pair] = pairs.get(pair, 0) + words[word]
            if not pairs:
                break
            a, b = min(pairs, key=lambda pair: (-pairs[pair] / (single[pair[0]] * single[pair[1]]), pair))
            vocabulary.append(a + b.removeprefix("##"))
            texts = {word: joined(text, a, b) for word, text in texts.items()}
        return cls(list(dict.fromkeys(vocabulary)))


def joined(text: list[str], a: str, b: str) -> list[str]:
    """The pieces with each a, b as one."""
    found: list[str] = []
    for piece in text:
        if found and (found[-1], piece) == (a, b):
            found[-1] = a + b.removeprefix("##")
        else:
            found.append(piece)
    return found
