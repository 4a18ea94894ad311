"""Names in sentences of thirteen languages, tagged: countries, languages, currencies, days.

Generated around CLDR's names (``datamodules/text/carriers.py``).
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from common.messages import UserError
from datamodules.text.carriers import KINDS, SENTENCES, Fact, facts
from datamodules.text.tagged_text import Sentence, TaggedText

TAGS = ["O", *(f"{prefix}-{kind}" for kind in KINDS for prefix in "BI")]
ENDS = ".:።"


class CarrierTags(TaggedText):
    """Tagged sentences (``datamodules/text/carriers.py``). No name of the test is in training.

    Args:
        languages: Any of the thirteen.
        num_classes, vocab_size, seq_len: ``O``, and two tags for each of four kinds; pieces of words; tokens of a row.
        train_size, val_size, test_size: Sentences.
        **rows: See ``BertRows``.
    """

    def __init__(
        self,
        languages: Sequence[str] = tuple(SENTENCES),
        num_classes: int = 9,
        vocab_size: int = 2000,
        seq_len: int = 96,
        train_size: int = 16_000,
        val_size: int = 500,
        test_size: int = 1300,
        **rows: Any,
    ) -> None:
        super().__init__(num_classes, vocab_size=vocab_size, seq_len=seq_len, **rows)
        if unknown := sorted(set(languages) - set(SENTENCES)):
            raise UserError(f"data.languages has no {unknown[0]!r}: choose among {', '.join(SENTENCES)}")
        self.languages, self.class_names = list(languages), TAGS
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}

    def read(self, stage: str) -> dict[str, list[Sentence]]:
        draw = Random(0)
        return {
            name: [tagged(facts(draw, self.languages[i % len(self.languages)], name, 1, 2)) for i in range(size)]
            for name, size in self.sizes.items()
        }


def tagged(statements: Sequence[Fact]) -> Sentence:
    """The words of some statements, one after the other, and their tags; a sign at the end of a word is a word."""
    words: list[str] = []
    tags: list[str] = []
    for fact in statements:
        before, after = fact.text[: fact.start], fact.text[fact.start + len(fact.name) :]
        name = fact.name.split()
        for text in (before, after):
            if text is after:
                words += name
                tags += [f"{'I' if i else 'B'}-{fact.kind}" for i in range(len(name))]
            for word in text.split():
                parts = [word[:-1], word[-1]] if word[-1] in ENDS and len(word) > 1 else [word]
                words += parts
                tags += ["O"] * len(parts)
    return words, tags
