"""Your own texts: a CSV or TSV file with a header row, one text per row, with its class.

    dive fit text/text_cnn --data TextTable --data.path mails.csv           columns text and label, or name them
    dive fit text/text_cnn --data TextTable --data.path train.tsv --data.columns text,label     without a header row
    dive fit text/text_cnn --data TextTable --data.path train.csv --data.test_path test.csv
    dive predict text/text_cnn --data.path new_mails.csv                    without the label column

Separators ``, ; tab |`` are recognized (``datamodules/text/rows.py``). A line says what was read, left out and cut.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.run_file import KnowsItsFile
from datamodules.splits import split_texts
from datamodules.text.baseline import TfidfBaseline
from datamodules.text.labeled_text import LabeledText, Unit, split_text
from datamodules.text.rows import nfc, no_column, read_rows
from datamodules.text.subwords import Subwords

LARGEST_FOUND = 20_000  # words or characters that ``infer`` allows; give vocab_size for more
SUBWORDS_FOUND = (4000, 8000)  # of few texts and of more
SHORTEST_FOUND, LONGEST_FOUND = 64, 1000  # tokens of the longest text; padding is trimmed from each batch
FEW = 2000  # texts up to which a batch is small: more steps for the same work
STEPS = 40  # optimizer steps of an epoch, at least: few texts are gone over several times
WORD_DROPOUT = 0.3  # fraction of the training tokens that become unknown; of rt-polarity's 0.3 is better than 0.15
LONG_WORD = 20  # characters between two spaces, on average, of texts in a script without spaces


class TextTable(TfidfBaseline, KnowsItsFile, LabeledText):
    """Texts x (B, T), y (B,) their class in sorted order. The split is fixed (seed 0) and stratified; equal texts are
    in the same one.

    Args:
        path: The file, UTF-8 or UTF-16. At test time a file that is not the run's is tested whole.
        text, label: The headings of the two columns.
        columns: Names of the columns, ``text,label``, for a file without a header row.
        test_path: A file of the same form for the test; then ``path`` is for training and validation only.
        num_classes, vocab_size, seq_len: 0 means as found in the file (``infer``).
        unit: Tokens are words, characters or sub-words; empty means words of up to 2,000 texts, else sub-words, as
            where there are no spaces.
        word_dropout: Fraction of the training tokens that become unknown, each time other ones: a text is not known by
            one rare word. Below 0 means 0.3.
        batch_size: 0 means 16 for up to 2,000 texts, else 256.
        val_fraction, test_fraction: Fractions of every class held out.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: A file or a column is missing or cannot be used.
    """

    least_steps = 200

    def __init__(
        self,
        path: str = "",
        text: str = "text",
        label: str = "label",
        columns: str | list[str] = "",
        test_path: str = "",
        num_classes: int = 0,
        vocab_size: int = 0,
        seq_len: int = 0,
        unit: Literal["", "word", "character", "subword"] = "",
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        word_dropout: float = -1.0,
        batch_size: int = 0,
        **loader: Any,
    ) -> None:
        found = self.infer(path, text, label, columns, num_classes, vocab_size, seq_len, unit, batch_size)
        super().__init__(**found, **loader)
        if word_dropout >= 1:
            raise UserError(f"data.word_dropout is {word_dropout}: give a fraction below 1")
        self.word_dropout = word_dropout
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        self.path, self.text, self.label, self.columns = path, text, label, names_of(columns)
        self.test_path, self.val_fraction, self.test_fraction = test_path, val_fraction, test_fraction

    @property
    def own_path(self) -> str:  # type: ignore[override]
        tested = self.test_path and "test" in self.splits and "train" not in self.splits
        return self.test_path if tested else self.path

    @staticmethod
    def infer(
        path: str = "",
        text: str = "text",
        label: str = "label",
        columns: str | list[str] = "",
        num_classes: int = 0,
        vocab_size: int = 0,
        seq_len: int = 0,
        unit: Literal["", "word", "character", "subword"] = "",
        batch_size: int = 0,
    ) -> dict[str, Any]:
        """Classes, tokens, size of the vocabulary, the length of the longest text (64 to 1,000), and the batch size."""
        given = {
            "num_classes": num_classes,
            "vocab_size": vocab_size,
            "seq_len": seq_len,
            "unit": unit,
            "batch_size": batch_size,
        }
        if num_classes and vocab_size and seq_len:  # as in a run's config.yaml: the file may have no labels now
            return given | {"unit": unit or "word", "batch_size": batch_size or 64}
        table = read_table(path, text, label, names_of(columns))
        kind: Unit = unit or unit_for(table.texts)
        if kind == "subword":
            subwords = Subwords.train(table.texts, vocab_size or SUBWORDS_FOUND[len(table.texts) > FEW])
            pieces: Sequence[Sequence[Any]] = subwords.encode(table.texts)
            size = len(subwords.tokens)
        else:
            pieces = [split_text(line, kind) for line in table.texts]
            size = min(LARGEST_FOUND, 2 + len({token for tokens in pieces for token in tokens}))
        found = {
            "num_classes": num_classes or len(classes_of(table, path, label)),
            "vocab_size": size,
            "seq_len": min(LONGEST_FOUND, max(SHORTEST_FOUND, *map(len, pieces))),
            "unit": kind,
            "batch_size": 16 if len(table.texts) <= FEW else 256,
        }
        return {name: given[name] or found[name] for name in given}

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = batch
        share = self.word_dropout
        if share < 0:
            share = WORD_DROPOUT
        dropped = (torch.rand(x.shape, device=x.device) < share) & (x != 0)
        return (x.masked_fill(dropped, 1), *rest)

    def processor(self) -> dict[str, Any]:
        columns = {"columns": self.columns} if self.columns else {}
        return {**super().processor(), "text": self.text, "label": self.label, **columns}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.text = processor.get("text", self.text)

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        if stage == "predict":
            table = read_table(self.path, self.text, None, self.columns, self.label)
            self.facts += table.facts
            self.predict_names, self.predict_cells = [str(row) for row in table.numbers], table.cells
            return {"predict": (table.texts, None)}
        return {name: (texts, y) for name, (texts, y) in self.parts(stage).items()}

    def parts(self, stage: str) -> dict[str, tuple[list[str], Tensor]]:
        """Texts and classes of the splits that a stage needs, from one file or two."""
        if stage == "test" and self.test_path:
            return {"test": self.labeled(self.test_path)}
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": self.labeled(self.path)}
        texts, y = self.labeled(self.path)
        test_fraction = 0.0 if self.test_path else self.test_fraction
        needed = 1 + (self.val_fraction > 0) + (test_fraction > 0)
        assert self.class_names is not None
        rare, count = min(Counter(y.tolist()).items(), key=lambda item: item[1])
        if count < needed:
            raise UserError(
                f"{self.path}: class {self.class_names[rare]!r} has {count} texts, too few to split: give it at least "
                f"{needed}"
            )
        parts, said = split_texts(texts, y, self.val_fraction, test_fraction)
        self.facts += said
        rows = dict(zip(("train", "val", "test"), parts, strict=True))
        if self.test_path:
            del rows["test"]
        steps = -(-len(rows["train"]) // self.batch_size)
        self.repeats = max(1, round(STEPS / steps))
        if self.repeats > 1:
            self.facts.append(f"an epoch goes {self.repeats} times over the {len(rows['train'])} training texts")
        return {name: ([texts[i] for i in part.tolist()], y[part]) for name, part in rows.items()}

    def labeled(self, path: str) -> tuple[list[str], Tensor]:
        """The texts of a file and their classes, which are those of the run where there is one."""
        table = read_table(path, self.text, self.label, self.columns)
        self.facts += table.facts
        if self.class_names is None:  # else set by the run that trained the model
            self.class_names = classes_of(table, path, self.label)
        if new := sorted(set(table.labels) - set(self.class_names)):
            raise UserError(f"{path}: class {new[0]!r} did not occur when the model was trained")
        if len(self.class_names) != self.num_classes:
            raise UserError(f"{path}: {len(set(table.labels))} classes, but data.num_classes is {self.num_classes}")
        number = {name: i for i, name in enumerate(self.class_names)}
        return table.texts, torch.tensor([number[name] for name in table.labels])


class Table:
    """Texts, labels, row numbers (from 1, without the header row), and all cells, of the rows that have a text."""

    def __init__(self) -> None:
        self.texts, self.labels = list[str](), list[str]()
        self.numbers: list[int] = []
        self.cells: dict[str, list[Any]] = {}
        self.facts: list[str] = []


def unit_for(texts: Sequence[str]) -> Unit:
    """Words of few texts; sub-words of more, and of texts in a script without spaces."""
    if len(texts) > FEW:
        return "subword"
    first = texts[:1000]
    runs = sum(len(text.split()) for text in first)
    return "subword" if sum(map(len, first)) / max(1, runs) > LONG_WORD else "word"


def names_of(columns: str | Sequence[str]) -> list[str]:
    """``text,label`` as names."""
    names = columns.split(",") if isinstance(columns, str) else columns
    return [nfc(name) for name in names if name.strip()]


def classes_of(table: Table, path: str, label: str) -> list[str]:
    """The classes of a table in alphabetical order.

    Raises:
        UserError: All rows have the same one.
    """
    if len(names := sorted(set(table.labels))) < 2:
        raise UserError(f"{path}: {label!r} is {table.labels[0]!r} in every row: at least two classes are needed")
    return names


def read_table(
    path: str, text: str, label: str | None, columns: Sequence[str] = (), unread: str = "", option: str = "label"
) -> Table:
    """The rows of a file that have a text, and a label if one is read.

    Args:
        path: CSV or TSV.
        text, label: The headings; without a label, only texts are read.
        columns: Names of the columns of a file without a header row.
        unread: The label's column, which the file may have or not where none is read.
        option: The argument that names the label's column.

    Raises:
        UserError: The file cannot be read, has no such column, or no row.
    """
    if not path:
        raise UserError("data.path is not given: --data.path FILE.csv names your texts")
    wanted = [name for name in (text, label) if name is not None]
    found = read_named(path, list(columns), wanted, unread) if columns else read_rows(path, (), wanted)
    if not found.rows:
        raise UserError(f"{path} has no rows below a heading: add them")
    for argument, column in (("text", text), (option, label)):
        if column is not None and column not in found.heading:
            raise UserError(no_column(path, column, argument, found))
        if column is not None and found.heading.count(column) > 1:
            raise UserError(f"{path}: {found.heading.count(column)} columns are called {column!r}: rename all but one")
    lines, labels = found.column(text), found.column(label) if label else None
    kept = [i for i, line in enumerate(lines) if split_text(line, "word") and (labels is None or labels[i].strip())]
    if not kept:
        raise UserError(f"{path}: all {len(lines)} texts are empty or without a {option}")
    table = Table()
    table.facts = list(found.facts)
    without = "no text" if labels is None else f"no text or no {option}"
    if len(kept) < len(lines):
        table.facts.append(f"{len(lines) - len(kept):,} of {len(lines):,} rows are left out: they have {without}")
    table.texts, table.numbers = [lines[i] for i in kept], [i + 1 for i in kept]
    table.labels = [nfc(labels[i]) for i in kept] if labels else []
    table.cells = {name: [found.rows[i].fields[place] for i in kept] for place, name in enumerate(found.heading)}
    return table


def read_named(path: str, columns: list[str], wanted: Sequence[str], unread: str) -> Any:
    """The rows of a file without a header row; the column of a label that is not wanted may be absent."""
    for name in wanted:
        if name not in columns:
            raise UserError(
                f"data.columns has no {name!r}: name the columns of {path}, such as --data.columns text,label"
            )
    try:
        return read_rows(path, columns, wanted)
    except UserError:
        if unread in wanted or unread not in columns:
            raise
        return read_rows(path, [name for name in columns if name != unread], wanted)
