"""Your own texts, or pairs of texts, for BERT: a CSV or TSV file with a header row and a class per row.

    dive fit bert/classifier --data BertTable --data.path mails.csv                    columns text and label
    dive fit bert/classifier --data BertTable --data.path pairs.csv --data.second other    a pair of columns
    dive predict bert/classifier --data.path new.csv                                   without the label column

Separators ``, ; tab |`` are recognized (``datamodules/text/rows.py``). A line says what was read and left out.
"""

from collections.abc import Sequence
from typing import Any

import torch

from common.messages import UserError
from datamodules.run_file import KnowsItsFile
from datamodules.splits import split_texts
from datamodules.text.baseline import TfidfBaseline
from datamodules.text.bert_text import BertText, Texts
from datamodules.text.text_table import Table, classes_of, read_table


class BertTable(TfidfBaseline, KnowsItsFile, BertText):
    """Texts, or pairs, of a table. The split is fixed (seed 0) and stratified; equal (first) texts are in one.

    Args:
        path: The file, UTF-8 or UTF-16. At test time a file that is not the run's is tested whole.
        text, second, label: The headings of the columns; without ``second`` a row has one text.
        num_classes: 0 means as found in the file (``infer``).
        vocab_size, seq_len: See ``BertRows``.
        val_fraction, test_fraction: Fractions of every class held out.
        **texts: See ``BertText``.

    Raises:
        UserError: The file or a column is missing or cannot be used; a class that the run did not have.
    """

    items = "texts"

    def __init__(
        self,
        path: str = "",
        text: str = "text",
        second: str = "",
        label: str = "label",
        num_classes: int = 0,
        vocab_size: int = 4000,
        seq_len: int = 128,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        **texts: Any,
    ) -> None:
        found = self.infer(path, text, label, num_classes)["num_classes"]
        super().__init__(found, vocab_size=vocab_size, seq_len=seq_len, **texts)
        self.own_path = path
        self.path, self.text, self.second, self.label = path, text, second, label
        self.val_fraction, self.test_fraction = val_fraction, test_fraction

    @staticmethod
    def infer(path: str = "", text: str = "text", label: str = "label", num_classes: int = 0) -> dict[str, int]:
        """The number of classes."""
        return {"num_classes": num_classes or len(classes_of(read_table(path, text, label), path, label))}

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "text": self.text, "second": self.second}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.text, self.second = processor.get("text", self.text), processor.get("second", self.second)

    def read(self, stage: str) -> dict[str, Texts]:
        predict = stage == "predict"
        table = read_table(self.path, self.text, None if predict else self.label, unread=self.label)
        self.facts += table.facts
        second = second_texts(table, self.path, self.second)
        if predict:
            self.predict_names, self.predict_cells = [str(row) for row in table.numbers], table.cells
            return {"predict": (table.texts, second, None)}
        if self.class_names is None:  # else those of the run
            self.class_names = classes_of(table, self.path, self.label)
        if new := sorted(set(table.labels) - set(self.class_names)):
            raise UserError(f"{self.path}: class {new[0]!r} did not occur when the model was trained")
        y = torch.tensor([self.class_names.index(name) for name in table.labels])
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": (table.texts, second, y)}
        counts = y.bincount(minlength=len(self.class_names))
        if int(counts.min()) < 3:
            rare = self.class_names[int(counts.argmin())]
            raise UserError(f"{self.path}: class {rare!r} has fewer than 3 texts, too few to split: give it more")
        found: dict[str, Texts] = {}
        parts, said = split_texts(table.texts, y, self.val_fraction, self.test_fraction)
        self.facts += said
        for name, part in zip(("train", "val", "test"), parts, strict=True):
            chosen = part.tolist()
            others = [second[i] for i in chosen] if second else None
            found[name] = ([table.texts[i] for i in chosen], others, y[part])
        return found

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Chance, and logistic regression on TF-IDF of single texts."""
        return BertText.baselines(self) if self.second else super().baselines()


def second_texts(table: Table, path: str, column: str) -> Sequence[str] | None:
    """The second text of each row; None without a column.

    Raises:
        UserError: No such column, or a row without one.
    """
    if not column:
        return None
    if column not in table.cells:
        raise UserError(f"{path}: no column {column!r}; it has {', '.join(table.cells)[:200]}")
    texts = [str(cell or "") for cell in table.cells[column]]
    for row, text in zip(table.numbers, texts, strict=True):
        if not text.strip():
            raise UserError(f"{path}, row {row}: no text in column {column!r}: a pair needs both")
    return texts
