"""Your own texts, or pairs of texts, with a number each: a CSV or TSV file with a header row.

    dive fit bert/regression --data ScoreTable --data.path letters.csv                     columns text and score
    dive fit bert/regression --data ScoreTable --data.path pairs.csv --data.second other   a pair of columns
    dive predict bert/regression --data.path new.csv                                       without the numbers

Separators ``, ; tab |`` are recognized (``datamodules/text/rows.py``). A line says what was read and left out.
"""

import math
from typing import Any

import numpy as np
import torch

from common.messages import UserError
from datamodules.run_file import KnowsItsFile
from datamodules.splits import split_texts
from datamodules.tabular import formats
from datamodules.text.bert_scores import BertScores
from datamodules.text.bert_table import second_texts
from datamodules.text.bert_text import Texts
from datamodules.text.text_table import Table, read_table


class ScoreTable(KnowsItsFile, BertScores):
    """Texts, or pairs, and numbers of a table. The split is fixed (seed 0); equal (first) texts are in one.

    Args:
        path: The file, UTF-8 or UTF-16. At test time a file that is not the run's is tested whole.
        text, second, score: The headings of the columns; without ``second`` a row has one text.
        vocab_size, seq_len: See ``BertRows``.
        val_fraction, test_fraction: Fractions held out.
        **texts: See ``BertText``.

    Raises:
        UserError: The file or a column is missing or cannot be used; a score that is not a number, by its row.
    """

    items = "texts"

    def __init__(
        self,
        path: str = "",
        text: str = "text",
        second: str = "",
        score: str = "score",
        vocab_size: int = 4000,
        seq_len: int = 128,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        **texts: Any,
    ) -> None:
        super().__init__(vocab_size=vocab_size, seq_len=seq_len, **texts)
        self.own_path = path
        self.path, self.text, self.second, self.score = path, text, second, score
        self.val_fraction, self.test_fraction = val_fraction, test_fraction

    def processor(self) -> dict[str, Any]:
        columns = {"text": self.text, "second": self.second, "score": self.score}
        return {**super().processor(), **columns}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.text, self.second = processor.get("text", self.text), processor.get("second", self.second)
        self.score = processor.get("score", self.score)

    def read(self, stage: str) -> dict[str, Texts]:
        predict = stage == "predict"
        table = read_table(self.path, self.text, None if predict else self.score, unread=self.score, option="score")
        self.facts += table.facts
        second = second_texts(table, self.path, self.second)
        if predict:
            self.predict_names, self.predict_cells = [str(row) for row in table.numbers], table.cells
            return {"predict": (table.texts, second, None)}
        y = numbers(table, self.path, self.score)
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": (table.texts, second, y)}
        if len(set(y.tolist())) == 1:
            raise UserError(f"{self.path}: {self.score!r} is {float(y[0]):g} in every row: there is nothing to learn")
        found: dict[str, Texts] = {}
        parts, said = split_texts(table.texts, torch.zeros(len(y)), self.val_fraction, self.test_fraction)
        self.facts += said
        for name, part in zip(("train", "val", "test"), parts, strict=True):
            chosen = part.tolist()
            others = [second[i] for i in chosen] if second else None
            found[name] = ([table.texts[i] for i in chosen], others, y[part])
        if lacking := [name for name, (texts, _, _) in found.items() if not texts]:
            raise UserError(f"{self.path}: {len(y)} texts leave none for {lacking[0]}: give it more")
        return found


def numbers(table: Table, path: str, column: str) -> torch.Tensor:
    """The column of scores (N,), whose cells show whether a comma is decimal or groups thousands.

    Raises:
        UserError: A cell is not a number, or can be two of them, by its row.
    """
    cells = [cell.strip() for cell in table.labels]
    ways = {sign: formats.numbers_in(cells, sign, unit="") for sign in ".,"}
    there = {sign: ~np.isnan(found) for sign, found in ways.items()}
    shown = [sign for sign, other in (".,", ",.") if (there[sign] & ~there[other]).any()]  # 1.5 a point, 1,5 a comma
    sign, other = ",." if shown == [","] else ".,"
    found = np.where(there[sign], ways[sign], ways[other])
    for i, (row, cell) in enumerate(zip(table.numbers, cells, strict=True)):
        if not math.isfinite(found[i]):
            raise UserError(f"{path}, row {row}: {cell[:40]!r} in column {column!r} is not a number")
        if len(shown) != 1 and "," in cell and there[other][i] and ways[other][i] != found[i]:
            raise UserError(
                f"{path}, row {row}: {cell!r} in column {column!r} can be {found[i]:g} or {ways[other][i]:g}: write "
                "the one that is meant, without a comma"
            )
    return torch.from_numpy(found).float()
