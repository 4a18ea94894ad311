"""Tokenizers with one interface: characters, words, byte pairs.

One is made from texts to a declared size and kept as plain values in ``processor.json`` (``tokenizer_files.py`` reads
it). Specials come first: ``<pad> <bos> <eos> <unk>`` are 0 to 3. Entries beyond the texts' tokens are never met.
"""

import json
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import regex

from common.messages import UserError
from datamodules.reading import progress

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
Kind = Literal["char", "word", "space", "bpe", "byte", "file", "world"]
PIECE = 1 << 14  # characters that are encoded at once: the library needs 200 bytes of memory for each
LONGEST_WORD = 64  # bytes: the library's training is quadratic in the length of a word
# Of a word: letters with their combining marks (Yoruba, Hindi, Thai, Arabic), joiners inside of it.
LETTER = r"[\p{L}\p{M}\p{Nl}\p{No}_\u200c\u200d]"
SIGN = r"[^\s\p{L}\p{N}_]\p{M}*"


class Tokenizer:
    """A vocabulary and how texts are cut. Subclasses: ``CharTokenizer``, ``WordTokenizer``, ``BPETokenizer`` ...

    Args:
        tokens: All tokens in the order of their ids, specials first.
        specials: The special tokens; written in a text they are encoded as themselves; decoding leaves them out.
        lower: Texts are put in lower case.
    """

    kind: Kind

    def __init__(self, tokens: Sequence[str], specials: Sequence[str] = SPECIALS, lower: bool = False) -> None:
        self.tokens, self.specials, self.lower = list(tokens), list(specials), lower
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.unk_id = self.ids.get("<unk>", -1)

    def __len__(self) -> int:
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """The id of a special token, -1 if the vocabulary does not have it."""
        return self.ids.get(token, -1)

    def prepare(self, text: str) -> str:
        """Normalizes to Unicode's composed form (tone marks have two encodings), and to lower case if ``lower``."""
        text = unicodedata.normalize("NFC", text)
        return text.lower() if self.lower else text

    def cut(self, text: str) -> list[str]:
        """Splits a prepared text into tokens."""
        raise NotImplementedError

    def join(self, tokens: list[str]) -> str:
        """Joins tokens without specials to text."""
        raise NotImplementedError

    def unknown_pieces(self, text: str) -> list[str]:
        """The tokens of a text that are not in the vocabulary."""
        return [piece for piece in self.cut(self.prepare(text)) if piece not in self.ids]

    def encode(self, text: str) -> list[int]:
        """The ids of a text; an unknown token becomes ``<unk>``, or is left out if the vocabulary has no ``<unk>``."""
        return self.encode_prepared(self.prepare(text))

    def encode_prepared(self, text: str) -> list[int]:
        """The ids of a text that went through ``prepare``."""
        ids = self.ids
        if self.unk_id < 0:
            return [ids[token] for token in self.cut(text) if token in ids]
        unk = self.unk_id
        return [ids.get(token, unk) for token in self.cut(text)]

    def encode_long(self, blocks: Iterable[str], length: int) -> np.ndarray:
        """As ``encode``, (N,) int32, of ``length`` characters in blocks, cut as ``pieces`` cuts."""
        cut = (piece for block in blocks for piece in pieces(self.prepare(block)))
        return self.encode_pieces(progress(cut, "encoding the text, pieces", -(-length // PIECE)))

    def encode_pieces(self, texts: Iterable[str]) -> np.ndarray:
        """The tokens (N,) int32 of pieces that went through ``prepare``, one after the other."""
        found = array("i")
        for piece in texts:
            found.extend(self.encode_prepared(piece))
        return as_array(found)

    def canonical(self, text: str) -> str:
        """A text as ``decode`` would write it if it had no unknown tokens: what outputs can be compared with."""
        return self.join(self.cut(self.prepare(text)))

    def decode(self, ids: Iterable[int], keep_unknown: bool = True) -> str:
        """The text of ids; ``<pad>``, ``<bos>`` and ``<eos>`` are left out, unused entries too."""
        silent = {token for token in self.specials if token != "<unk>" or not keep_unknown}
        tokens = [self.tokens[i] for i in ids]
        return self.join([token for token in tokens if token not in silent and not token.startswith("<unused")])

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        size: int,
        specials: Sequence[str] = SPECIALS,
        lower: bool = False,
        min_count: int = 1,
    ) -> "Tokenizer":
        """A vocabulary of exactly ``size``: the specials, then the most frequent tokens, ties by code point.

        Args:
            texts: Training texts only; tokens that occur in validation and test only are unknown, as in use.
            size: Number of entries.
            specials, lower, min_count: See the class; tokens with fewer occurrences become unknown.
        """
        if size <= len(specials):
            raise UserError(f"data.vocab_size is {size}: the special tokens alone are {len(specials)}; give more")
        cutter = cls(specials, specials, lower)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(cutter.cut(cutter.prepare(text)))
        known = [t for t, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n >= min_count]
        return cls(fill([*specials, *(t for t in known if t not in specials)], size), specials, lower)

    def saved(self) -> dict[str, Any]:
        """Plain values from which ``load_tokenizer`` rebuilds the tokenizer."""
        return {"kind": self.kind, "tokens": self.tokens, "specials": self.specials, "lower": self.lower}

    def save(self, path: str | Path) -> None:
        Path(path).write_text(json.dumps(self.saved(), ensure_ascii=False) + "\n", encoding="utf-8")


def fill(tokens: list[str], size: int) -> list[str]:
    """The first ``size`` tokens, filled up with unused entries."""
    return tokens[:size] + [f"<unused{i}>" for i in range(size - len(tokens))]


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Pieces of at most ``size`` characters that begin with the white space behind a word, if there is any."""
    start = 0
    while len(text) - start > size:
        ends = [m.start() for m in re.finditer(r"(?<=\S)\s", text[start : start + size + 1])]
        end = start + (ends[-1] if ends else size)
        yield text[start:end]
        start = end
    yield text[start:]


def as_array(ids: array) -> np.ndarray:  # type: ignore[type-arg]
    """Ids as (N,) int32, not copied."""
    return np.frombuffer(ids, np.int32) if ids else np.zeros(0, np.int32)


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text, one after the other, each with its end."""
    return (match[0] for match in re.finditer(r"[^\n]*\n|[^\n]+", text))


class CharTokenizer(Tokenizer):
    """Each character is a token."""

    kind = "char"

    def cut(self, text: str) -> list[str]:
        return list(text)

    def encode_pieces(self, texts: Iterable[str]) -> np.ndarray:
        codes = {ord(token): i for i, token in enumerate(self.tokens) if len(token) == 1}
        table = np.full(0x110000, self.unk_id, np.int32)
        table[list(codes)] = list(codes.values())
        found = array("i")
        for piece in texts:
            ids = table[np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), np.uint32)]
            found.frombytes((ids if self.unk_id >= 0 else ids[ids >= 0]).tobytes())
        return as_array(found)

    def join(self, tokens: list[str]) -> str:
        return "".join(tokens)


class WordTokenizer(Tokenizer):
    """Words, punctuation and the spaces between. Decoding restores a text without unknown tokens exactly. A word is a
    run of letters and their marks with inner apostrophes or hyphens, with the space before it; every digit and other
    sign is a token of its own, also with the space before it, as is a special token written in a text (``<unk>``).
    """

    kind = "word"
    PATTERN = regex.compile(
        rf"<\w+>| ?{LETTER}+(?:['\u2019-]{LETTER}+)*| ?\p{{Nd}}\p{{M}}*| ?{SIGN}|\n|[^\S\n]+(?= \S)|\s"
    )

    def cut(self, text: str) -> list[str]:
        return self.PATTERN.findall(text)

    def join(self, tokens: list[str]) -> str:
        return "".join(tokens)


class SpaceTokenizer(Tokenizer):
    """Tokens are separated by spaces, and a line end is a token: for tokenized texts (PTB, WikiText, the book's)."""

    kind = "space"
    PATTERN = re.compile(r"\n|\S+")

    def cut(self, text: str) -> list[str]:
        return self.PATTERN.findall(text)

    def join(self, tokens: list[str]) -> str:
        return re.sub(r" ?\n ?", "\n", " ".join(tokens))


class BPETokenizer(Tokenizer):
    """Byte pairs (Sennrich et al. 2016, Radford et al. 2019) by the library ``tokenizers``: no token is unknown.

    Args:
        model: The tokenizer of the library, as JSON.
        specials, lower: See ``Tokenizer``.
    """

    kind: Kind = "bpe"

    def __init__(self, model: str, specials: Sequence[str] = SPECIALS, lower: bool = False) -> None:
        import tokenizers

        self.model = tokenizers.Tokenizer.from_str(model)
        vocabulary = self.model.get_vocab()
        super().__init__(sorted(vocabulary, key=vocabulary.__getitem__), specials, lower)
        self.unused = {i for i, token in enumerate(self.tokens) if token.startswith("<unused")}

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        size: int,
        specials: Sequence[str] = SPECIALS,
        lower: bool = False,
        min_count: int = 1,
    ) -> "BPETokenizer":
        import tokenizers
        from tokenizers import decoders, models, pre_tokenizers, trainers

        least = len(specials) + 256
        if size < least:
            raise UserError(f"data.vocab_size is {size}: byte pairs need at least {least}, the specials and all bytes")
        model = tokenizers.Tokenizer(models.BPE())
        short = pre_tokenizers.Split(tokenizers.Regex(f".{{1,{LONGEST_WORD}}}"), "isolated")
        words = [pre_tokenizers.ByteLevel(add_prefix_space=False), short]
        model.pre_tokenizer = pre_tokenizers.Sequence(words)  # type: ignore[arg-type]
        model.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(specials),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            min_frequency=max(2, min_count),
            show_progress=False,
        )
        prepare = Tokenizer(specials, specials, lower).prepare
        model.train_from_iterator((prepare(text) for text in texts), trainer)
        missing = size - model.get_vocab_size()
        if missing > 0:  # a small text has too few pairs
            model.add_tokens([f"<unused{i}>" for i in range(missing)])
        return cls(model.to_str(), specials, lower)

    def unknown_pieces(self, text: str) -> list[str]:
        return []  # every byte is a token

    def encode_prepared(self, text: str) -> list[int]:
        return self.model.encode(text, add_special_tokens=False).ids

    def canonical(self, text: str) -> str:
        return self.prepare(text)  # every byte is kept

    def decode(self, ids: Iterable[int], keep_unknown: bool = True) -> str:
        return self.model.decode([i for i in ids if i not in self.unused], skip_special_tokens=True)

    def saved(self) -> dict[str, Any]:
        return {"kind": self.kind, "model": self.model.to_str(), "specials": self.specials, "lower": self.lower}


class ByteTokenizer(BPETokenizer):
    """Each byte of UTF-8 is a token (Xue et al. 2022, "ByT5"): byte pairs without a merge, in any language."""

    kind = "byte"

    @classmethod
    def train(cls, texts: Iterable[str], size: int, *args: Any, **settings: Any) -> "BPETokenizer":
        return super().train([], size, *args, **settings)


KINDS = (CharTokenizer, WordTokenizer, SpaceTokenizer, BPETokenizer, ByteTokenizer)
TOKENIZERS: dict[str, type[Tokenizer]] = {kind.kind: kind for kind in KINDS}
