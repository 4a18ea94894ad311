"""Your own text: one UTF-8 file, the beginning for training, then validation, then test.

    dive fit rnn/gru --data TextFile --data.path book.txt
    dive fit rnn/gru --data TextFile --data.path book.txt --data.tokenizer bpe --data.vocab_size 2000
    dive fit rnn/gru --data TextFile --data.path book.txt --data.test_path another.txt

The parts are divided at line ends where there are any nearby. A model of the text is tested and predicts on all of
another file: ``dive test rnn/gru --data.path another.txt``.
"""

import re
from collections import Counter
from typing import Any, Literal

from common.messages import UserError
from datamodules.run_file import KnowsItsFile
from datamodules.text.language_model import LanguageModelData
from datamodules.text.long_text import Text, blocks_of, open_text, split
from datamodules.text.tokenizer_files import read_tokenizer
from datamodules.text.tokenizers import TOKENIZERS, Tokenizer

LARGEST_FOUND = 20_000  # different characters or words
#: Characters of a training text, and how many byte pairs it gets: on 360,000 characters of Python's documentation a GPT
#: has fewer bits per character with 1,000 of them than a GRU with characters (RESULTS.md), and a vocabulary grows with
#: the text. Shorter texts have single characters, each of which is seen often enough.
BYTE_PAIRS = ((10_000_000, 8000), (2_000_000, 4000), (500_000, 2000), (200_000, 1000))
LONG_WORD = 1000  # characters without a space: such a text has no words that byte pairs could be made of


class TextFile(KnowsItsFile, LanguageModelData):
    """A text file for language models.

    Args:
        path: The file. At test time a file that is not the run's is tested whole; ``predict`` scores the whole file.
        val_fraction, test_fraction: Fractions of the text held out, at its end.
        test_path: Another file for the test; then ``path`` is for training and validation only.
        tokenizer: See ``LanguageModelData``; empty means by the size of the text: characters, or byte pairs from
            200,000 characters on. With a given ``vocab_size`` it means characters.
        vocab_size: Entries of the vocabulary; 0 means as found: all characters or words of the training part (at most
            20,000), or as many byte pairs as the text is large enough for.
        **text: See ``LanguageModelData``.
    """

    def __init__(
        self,
        path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        test_path: str = "",
        tokenizer: Literal["", "char", "word", "space", "bpe", "byte"] | str = "",
        vocab_size: int = 0,
        **text: Any,
    ) -> None:
        lower, min_count = text.get("lower", False), text.get("min_count", 1)
        found = self.infer(path, tokenizer, vocab_size, lower, min_count, val_fraction, test_fraction, test_path)
        super().__init__(vocab_size=found["vocab_size"], tokenizer=found["tokenizer"], **text)
        self.path, self.test_path = path, test_path
        self.val_fraction, self.test_fraction = val_fraction, test_fraction

    @staticmethod
    def infer(
        path: str = "",
        tokenizer: str = "",
        vocab_size: int = 0,
        lower: bool = False,
        min_count: int = 1,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        test_path: str = "",
    ) -> dict[str, Any]:
        """The tokenizer and the size of the vocabulary."""
        if vocab_size:
            return {"tokenizer": tokenizer or "char", "vocab_size": vocab_size}
        if tokenizer and tokenizer not in TOKENIZERS:
            LanguageModelData.decided_by_files(tokenizer)  # refuses a file that is not there
            return {"tokenizer": tokenizer, "vocab_size": len(read_tokenizer(tokenizer))}
        text = split(open_text(path), val_fraction, 0.0 if test_path else test_fraction)["train"]
        kind = tokenizer or tokenizer_for(text)
        return {"tokenizer": kind, "vocab_size": vocabulary_of(text, kind, lower, min_count)}

    @property
    def own_path(self) -> str:  # type: ignore[override]
        tested = self.test_path and "test" in self.splits and "train" not in self.splits
        return self.test_path if tested else self.path

    def source_name(self) -> str:
        return self.own_path

    def texts(self) -> dict[str, Text]:
        parts = split(open_text(self.path), self.val_fraction, 0.0 if self.test_path else self.test_fraction)
        if self.test_path:
            del parts["test"]
        return parts

    def texts_for(self, stage: str) -> dict[str, Text]:
        if stage == "predict":
            return {"predict": open_text(self.path)}
        if stage == "test" and self.test_path:
            return {"test": open_text(self.test_path, "data.test_path")}
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": open_text(self.path)}
        texts = self.texts()
        if stage == "fit":
            self.say_tokens(texts["train"])
        return texts

    def say_tokens(self, train: Text) -> None:
        """Adds to the facts what the tokens are."""
        if self.tokenizer_file:
            self.facts.append(f"tokens of {self.tokenizer_file}")
        elif self.kind == "bpe":
            self.facts.append(f"{self.vocab_size:,} byte pairs as tokens (--data.tokenizer char for characters)")
            if longest_word(train) > LONG_WORD:
                self.facts.append("words of more than 64 bytes are cut for byte pairs")
        else:
            name = {"char": "characters", "byte": "bytes"}.get(self.kind, "words")
            self.facts.append(f"a vocabulary of {self.vocab_size:,} {name}")


def tokenizer_for(text: Text) -> str:
    """``char``, or ``bpe`` for a text that is large enough, and has words and an alphabet."""
    words = longest_word(next(blocks_of(text), "")[:1_000_000]) <= LONG_WORD
    signs: set[str] = set()
    for block in blocks_of(text):
        signs.update(block)
    return "bpe" if len(text) >= BYTE_PAIRS[-1][0] and words and len(signs) <= 1000 else "char"


def longest_word(text: Text) -> int:
    """The length of the longest run without white space, up to just above ``LONG_WORD``."""
    long = re.compile(rf"\S{{{LONG_WORD + 1}}}")
    return LONG_WORD + 1 if any(long.search(block) for block in blocks_of(text)) else 0


def vocabulary_of(text: Text, kind: str, lower: bool, min_count: int) -> int:
    """The size of the vocabulary of a training text, specials included.

    Raises:
        UserError: The text has no token that occurs ``min_count`` times.
    """
    specials = TextFile.specials
    least = len(specials) + 256
    if kind == "byte":
        return least
    if kind == "bpe":
        return next((size for length, size in BYTE_PAIRS if len(text) >= length), max(512, least))
    cutter: Tokenizer = TOKENIZERS[kind](specials, specials, lower)
    counts: Counter[str] = Counter()
    for block in blocks_of(text):
        prepared = cutter.prepare(block)
        counts.update(prepared if kind == "char" else cutter.cut(prepared))
    known = sum(count >= min_count for token, count in counts.items() if token not in specials)
    if not known:
        raise UserError(f"no token of the text occurs data.min_count {min_count} times")
    return len(specials) + min(known, LARGEST_FOUND)
