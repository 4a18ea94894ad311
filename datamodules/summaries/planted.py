"""Documents and headlines of planted facts, or tables and documents: which facts an output should say is known.

Nine languages (``datamodules/summaries/records.py``). Half of the test is about names that training does not have, in
no language: they are in no vocabulary and have to be copied.
"""

import random
from collections.abc import Sequence
from typing import Any, Literal

from common.messages import UserError
from datamodules.parallel_text.parallel_text import Pairs
from datamodules.summaries.copy_text import CopyText
from datamodules.summaries.records import (
    LANGUAGES,
    MAIN,
    Record,
    claims,
    count,
    document,
    draw_record,
    headline,
    headline_claims,
    rates,
    statements,
    table,
)


class PlantedFacts(CopyText):
    """Texts of records of facts.

    Args:
        direction: ``summary``: from a document to its headline; ``document``: from a table to its sentences.
        languages: CLDR's codes, of nine.
        train_size, val_size, test_size: Records; every second one of the test has names that training has too.
        source_vocab_size, target_vocab_size, max_length: See ``CopyText``. The vocabulary is smaller than the number
            of different words in training, so that names have to be copied there too.
        **copy: See ``CopyText``.
    """

    def __init__(
        self,
        direction: Literal["summary", "document"] = "summary",
        languages: Sequence[str] = LANGUAGES,
        train_size: int = 5000,
        val_size: int = 300,
        test_size: int = 500,
        source_vocab_size: int = 600,
        target_vocab_size: int = 600,
        max_length: int = 64,
        **copy: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, **copy)
        if unknown := sorted(set(languages) - set(LANGUAGES)):
            raise UserError(f"data.languages has no {unknown[0]!r}: choose among {', '.join(LANGUAGES)}")
        self.direction, self.languages = direction, list(languages)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.records: dict[str, list[Record]] = {}
        self.subsets: dict[str, dict[str, list[bool]]] = {}

    def pairs(self) -> dict[str, Pairs]:
        draw = random.Random(0)
        self.records = {
            name: [draw_record(draw, self.languages[i // 2 % len(self.languages)], part_of(name, i)) for i in range(n)]
            for name, n in self.sizes.items()
        }
        new = [part_of("test", i) == "test" for i in range(self.sizes["test"])]
        self.subsets = {"test": {"known_names": [not n for n in new], "new_names": new}}
        return {name: [self.pair(record) for record in found] for name, found in self.records.items()}

    def pair(self, record: Record) -> tuple[str, str]:
        """The source and the target of a record."""
        if self.direction == "summary":
            return " ".join(document(record)), headline(record)
        return table(record), " ".join(statements(record))

    def fact_scores(self, outputs: Sequence[str], rows: Sequence[int]) -> dict[str, float]:
        """Of outputs to rows of the test: the facts that they cover, invent and repeat, by rule."""
        counts = []
        for text, row in zip(outputs, rows, strict=True):
            record = self.records["test"][row]
            if self.direction == "summary":
                every = [fact._replace(kind="") for fact in record.facts]
                main = [fact._replace(kind="") for fact in record.facts if fact.kind in MAIN]
                counts.append(count(headline_claims(text), main, every))
            else:
                counts.append(count(claims(text, record.language), record.facts, record.facts))
        return rates(counts)


def part_of(split: str, row: int) -> str:
    """Whose names a row has: those of its split, in the test in turn with training's."""
    return "train" if split == "test" and row % 2 else split
