"""Tokenizers with one interface: characters, words, byte pairs.

A tokenizer is made from texts to a declared size, which is what the model is built with, and kept as plain values in
the run's ``processor.json``. Special tokens come first; by convention ``<pad> <bos> <eos> <unk>`` are 0 to 3. Where the
texts have fewer different tokens than declared, the rest of the vocabulary stands empty: its entries are never met.
``datamodules/text/tokenizer_files.py`` reads one that was made before.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from common.messages import UserError

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
Kind = Literal["char", "word", "space", "bpe", "file", "world"]


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
        ids = self.ids
        if self.unk_id < 0:
            return [ids[token] for token in self.cut(self.prepare(text)) if token in ids]
        unk = self.unk_id
        return [ids.get(token, unk) for token in self.cut(self.prepare(text))]

    def decode(self, ids: Iterable[int], keep_unknown: bool = True) -> str:
        """The text of ids; ``<pad>``, ``<bos>`` and ``<eos>`` are left out, unused entries too."""
        silent = {token for token in self.specials if token != "<unk>" or not keep_unknown}
        tokens = [self.tokens[i] for i in ids]
        return self.join([token for token in tokens if token not in silent and not token.startswith("<unused")])

    # -- making and keeping -------------------------------------------------------------------------------------------

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
            specials, lower: See the class.
            min_count: Tokens with fewer occurrences become unknown.
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


class CharTokenizer(Tokenizer):
    """Each character is a token."""

    kind = "char"

    def cut(self, text: str) -> list[str]:
        return list(text)

    def join(self, tokens: list[str]) -> str:
        return "".join(tokens)


class WordTokenizer(Tokenizer):
    """Words, punctuation and the spaces between. Decoding restores a text without unknown tokens exactly.

    A word is a run of letters with inner apostrophes or hyphens, with the space before it; every digit and every other
    sign is a token of its own, also with the space before it. A special token written in a text (``<unk>``) is one
    token.
    """

    kind = "word"
    LETTER = r"(?:[^\W\d]|[\u0300-\u036f])"  # with tone marks that have no composed form, as in Yoruba
    PATTERN = re.compile(rf"<\w+>| ?{LETTER}+(?:['\u2019-]{LETTER}+)*| ?\d| ?[^\w\s]|\n|[^\S\n]+(?= \S)|\s")

    def cut(self, text: str) -> list[str]:
        return self.PATTERN.findall(text)

    def join(self, tokens: list[str]) -> str:
        return "".join(tokens)


class SpaceTokenizer(Tokenizer):
    """Tokens are separated by spaces, and a line end is a token: for texts that are tokenized already (PTB, WikiText,
    the book's sentences).
    """

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

    kind = "bpe"

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
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
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

    def encode(self, text: str) -> list[int]:
        return self.model.encode(self.prepare(text), add_special_tokens=False).ids

    def decode(self, ids: Iterable[int], keep_unknown: bool = True) -> str:
        return self.model.decode([i for i in ids if i not in self.unused], skip_special_tokens=True)

    def saved(self) -> dict[str, Any]:
        return {"kind": self.kind, "model": self.model.to_str(), "specials": self.specials, "lower": self.lower}


TOKENIZERS: dict[str, type[Tokenizer]] = {
    "char": CharTokenizer,
    "word": WordTokenizer,
    "space": SpaceTokenizer,
    "bpe": BPETokenizer,
}
