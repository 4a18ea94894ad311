"""Your own texts: a CSV or TSV file with a header row, one text per row, with its class.

    dive fit text/text_cnn --data TextTable --data.path mails.csv           columns text and label, or name them
    dive predict text/text_cnn --data.path new_mails.csv                    without the label column

Separators ``, ; tab |`` are recognized in the header row. Rows without a text or a label are left out, with a note.
"""

import csv
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.splits import split_fractions
from datamodules.text.labeled_text import LabeledText, Unit, split_text

LARGEST_FOUND = 20_000  # tokens that ``infer`` allows; give vocab_size for more
LONGEST_FOUND = 256


class TextTable(LabeledText):
    """Texts x (B, seq_len), y (B,) their class in sorted order. The split is fixed (seed 0) and stratified.

    Args:
        path: The file, UTF-8.
        text, label: The headings of the two columns.
        num_classes, vocab_size, seq_len: 0 means as found in the file (``infer``).
        unit: Tokens are words or characters.
        val_fraction, test_fraction: Fractions of every class held out.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: The file or a column is missing or cannot be used.
    """

    def __init__(
        self,
        path: str = "",
        text: str = "text",
        label: str = "label",
        num_classes: int = 0,
        vocab_size: int = 0,
        seq_len: int = 0,
        unit: Unit = "word",
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        **loader: int,
    ) -> None:
        found = self.infer(path, text, label, num_classes, vocab_size, seq_len, unit)
        super().__init__(found["num_classes"], found["vocab_size"], found["seq_len"], unit, **loader)
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.path, self.text, self.label = path, text, label
        self.val_fraction, self.test_fraction = val_fraction, test_fraction

    @staticmethod
    def infer(
        path: str = "",
        text: str = "text",
        label: str = "label",
        num_classes: int = 0,
        vocab_size: int = 0,
        seq_len: int = 0,
        unit: Unit = "word",
    ) -> dict[str, int]:
        """Classes, different tokens (at most 20,000), and the length of the 99th percentile (at most 256)."""
        given = {"num_classes": num_classes, "vocab_size": vocab_size, "seq_len": seq_len}
        if all(given.values()):
            return given  # as in a run's config.yaml: the file may have no labels now
        texts, labels, _ = read_table(path, text, label, quiet=True)
        pieces = [split_text(line, unit) for line in texts]
        lengths = sorted(map(len, pieces))
        found = {
            "num_classes": len(set(labels)),
            "vocab_size": min(LARGEST_FOUND, 2 + len({token for tokens in pieces for token in tokens})),
            "seq_len": min(LONGEST_FOUND, max(1, lengths[int(0.99 * (len(lengths) - 1))])),
        }
        return {name: given[name] or found[name] for name in given}

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "text": self.text}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.text = processor.get("text", self.text)

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        if stage == "predict":
            texts, _, rows = read_table(self.path, self.text, None)
            self.predict_names = [str(row) for row in rows]
            return {"predict": (texts, None)}
        texts, labels, _ = read_table(self.path, self.text, self.label)
        if self.class_names is None:  # else set by the run that trained the model
            self.class_names = sorted(set(labels))
        if new := sorted(set(labels) - set(self.class_names)):
            raise UserError(f"{self.path}: class {new[0]!r} did not occur when the model was trained")
        if len(self.class_names) != self.num_classes:
            raise UserError(f"{self.path}: {len(set(labels))} classes, but data.num_classes is {self.num_classes}")
        needed = 1 + (self.val_fraction > 0) + (self.test_fraction > 0)
        rare, count = Counter(labels).most_common()[-1]
        if count < needed:
            raise UserError(
                f"{self.path}: class {rare!r} has {count} texts, too few to split: give it at least {needed}"
            )
        y = torch.tensor([self.class_names.index(name) for name in labels])
        parts = zip(("train", "val", "test"), split_fractions(y, self.val_fraction, self.test_fraction), strict=True)
        return {name: ([texts[i] for i in rows.tolist()], y[rows]) for name, rows in parts}


def read_table(path: str, text: str, label: str | None, quiet: bool = False) -> tuple[list[str], list[str], list[int]]:
    """Texts, labels and row numbers (from 1, without the header row) of the rows that have both.

    Args:
        path: CSV or TSV with a header row.
        text, label: The headings; without a label, only texts are read.
        quiet: Prints no note about rows that are left out.

    Raises:
        UserError: No such file, not UTF-8 text, no such column, no rows, only one class.
    """
    if not path:
        raise UserError("data.path is not given: --data.path FILE.csv names your texts")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            heading = file.readline()
            file.seek(0)
            rows = list(csv.DictReader(file, delimiter=max(",;\t|", key=heading.count)))
    except OSError as error:
        raise UserError(f"no file {path}: give --data.path your CSV file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as CSV (UTF-8)") from None
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from None
    if not rows:
        raise UserError(f"{path} has no rows below a heading: add them")
    for option, column in (("text", text), ("label", label)):
        if column is not None and column not in rows[0]:
            columns = ", ".join(str(name) for name in rows[0] if name)
            raise UserError(f"{path}: no column {column!r}; it has {columns}: give --data.{option}")
    kept = [
        (i, (row[text] or "").strip(), (row[label] or "").strip() if label else "")
        for i, row in enumerate(rows, 1)
        if split_text(row[text] or "", "word") and (label is None or (row[label] or "").strip())
    ]
    if not kept:
        raise UserError(f"{path}: all {len(rows)} texts are empty or without a label")
    if len(kept) < len(rows) and not quiet:
        note(f"{path}: {len(rows) - len(kept)} of {len(rows)} rows are left out: they have no text or no label")
    if label and len({name for _, _, name in kept}) < 2:
        raise UserError(f"{path}: {label!r} is {kept[0][2]!r} in every row: at least two classes are needed")
    return [line for _, line, _ in kept], [name for _, _, name in kept], [i for i, _, _ in kept]
