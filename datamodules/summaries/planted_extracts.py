"""The documents of planted facts (``datamodules/summaries/records.py``) as sentences to choose from."""

from collections.abc import Sequence
from random import Random
from typing import Any

from common.messages import UserError
from datamodules.summaries.documents import Document
from datamodules.summaries.extracts import ExtractRows
from datamodules.summaries.records import LANGUAGES, MAIN, Record, document, draw_record, statement


class PlantedExtracts(ExtractRows):
    """Documents in nine languages; their summaries are the statements on countries and the day. No name of the test is
    in training.

    Args:
        languages: CLDR's codes, of nine.
        train_size, val_size, test_size: Documents.
        vocab_size, seq_len: Pieces of words; tokens of a row.
        **rows: See ``ExtractRows``.
    """

    def __init__(
        self,
        languages: Sequence[str] = LANGUAGES,
        train_size: int = 700,
        val_size: int = 100,
        test_size: int = 150,
        vocab_size: int = 1000,
        seq_len: int = 160,
        **rows: Any,
    ) -> None:
        super().__init__(vocab_size=vocab_size, seq_len=seq_len, **rows)
        if unknown := sorted(set(languages) - set(LANGUAGES)):
            raise UserError(f"data.languages has no {unknown[0]!r}: choose among {', '.join(LANGUAGES)}")
        self.languages = list(languages)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}

    def read(self, stage: str) -> dict[str, list[Document]]:
        draw = Random(0)
        records = {
            name: [draw_record(draw, self.languages[i % len(self.languages)], name) for i in range(size)]
            for name, size in self.sizes.items()
        }
        return {name: [Document(document(r), [summary(r)]) for r in found] for name, found in records.items()}


def summary(record: Record) -> str:
    """The statements on what matters, in the document's order."""
    return " ".join(statement(record.language, fact) for fact in record.facts if fact.kind in MAIN)
