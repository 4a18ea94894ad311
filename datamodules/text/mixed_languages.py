"""A text in several languages, each row in one: names of languages and countries, and lists of them, from CLDR.

CLDR ships with Babel. The lines of a language follow one another, cut into rows of ``seq_len`` tokens, characters or
byte pairs. Training has rows of all languages in random order, and no text says which one it is in; by default each
language has a script of its own, and shares spaces and commas with the others.
``subsets`` says it of the test's rows, for measuring only: which experts serve which language.

Lines are split: no line is in two splits, but a country of a test's list may be in another list of training. What is
asked is the language, not the country.
"""

import random
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.parallel_text.cldr_many import World
from datamodules.text.language_model import PAD
from datamodules.text.tokenizer_files import load_tokenizer
from datamodules.text.tokenizers import TOKENIZERS, Tokenizer

FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
KINDS = ("language", "territory", "list")  # dates and amounts are mostly digits, which are of no language
FACTS_OF_A_DRAW = 40  # draws for each line that is wanted, before a language has too few


class MixedLanguages(TensorDataModule):
    """Batches ``(tokens, targets)``, both (B, T) int64; a row is in one language.

    Args:
        languages: CLDR's codes.
        lines: Lines of each language, all different.
        tokenizer: ``char``, or ``bpe``.
        vocab_size: Entries of the vocabulary.
        seq_len: T, tokens of a row.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: Fewer than two languages, one that CLDR does not have, or more lines than can be found.
    """

    links = ("vocab_size", "seq_len")
    input_means = "the ids of a text by the tokenizer in processor.json"
    tokenizer: Tokenizer | None = None

    def __init__(
        self,
        languages: Sequence[str] = ("sw", "am", "ru", "hi"),
        lines: int = 1000,
        tokenizer: Literal["char", "bpe"] = "char",
        vocab_size: int = 400,
        seq_len: int = 64,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        if len(set(languages)) < 2:
            raise UserError(f"data.languages is {list(languages)}: give at least two, such as de and sw")
        self.languages, self.lines = list(dict.fromkeys(languages)), lines
        self.kind = tokenizer
        self.vocab_size, self.seq_len = vocab_size, seq_len
        self.characters_per_token: dict[str, float] = {}
        #: Which rows of the test are in which language.
        self.subsets: dict[str, dict[str, list[bool]]] = {}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        texts = {language: self.divided(language) for language in self.languages}
        if self.tokenizer is None:
            lines = (line for parts in texts.values() for line in parts["train"].splitlines(keepends=True))
            self.tokenizer = TOKENIZERS[self.kind].train(lines, self.vocab_size)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name in FRACTIONS:
            ids = [self.tokenizer.encode(parts[name]) for parts in texts.values()]
            rows = [self.rows(tokens) for tokens in ids]
            splits[name] = tuple(torch.cat(part) for part in zip(*rows, strict=True))
            letters = sum(len(parts[name]) for parts in texts.values())
            self.characters_per_token[name] = letters / sum(map(len, ids))
            owner = [language for language, (x, _) in zip(texts, rows, strict=True) for _ in x]
            self.subsets[name] = {language: [o == language for o in owner] for language in texts}
        return splits | {"predict": splits["test"]}

    def divided(self, language: str) -> dict[str, str]:
        """The text of each split in a language, a line for each fact."""
        world, draw = World([language], names=0), random.Random(f"{language} 0")
        found: dict[str, None] = {}
        for _ in range(FACTS_OF_A_DRAW * self.lines):
            fact = world.draw(draw, held_out=False)
            if fact[0] in KINDS:
                found.setdefault(world.text(fact, language))
            if len(found) == self.lines:
                break
        else:
            raise UserError(f"data.lines is {self.lines}: only {len(found)} were found in {language}; give fewer")
        lines, parts, start = list(found), {}, 0
        for name, fraction in FRACTIONS.items():
            end = start + round(fraction * self.lines)
            parts[name] = "".join(f"{line}\n" for line in lines[start:end])
            start = end
        return parts

    def rows(self, ids: list[int]) -> tuple[Tensor, Tensor]:
        """Consecutive rows of T tokens and their targets, the last one padded."""
        width = self.seq_len
        count = -(-(len(ids) - 1) // width)
        tokens, targets = torch.zeros(count * width).int(), torch.full((count * width,), PAD).int()
        tokens[: len(ids) - 1], targets[: len(ids) - 1] = torch.tensor(ids[:-1]), torch.tensor(ids[1:])
        return tokens.view(count, width), targets.view(count, width)

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.long() for t in batch)

    def processor(self) -> dict[str, Any]:
        assert self.tokenizer is not None
        return {**super().processor(), "tokenizer": self.tokenizer.saved(), "seq_len": self.seq_len}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.tokenizer = load_tokenizer(processor["tokenizer"])
