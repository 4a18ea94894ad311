"""Click logs: rows of categorical fields and whether somebody clicked. Batch: ``(x, y)``, x (B, F), y (B,) 0 or 1.

A value is a row of one table of all fields (D2L 21.8): each field has its own range, whose first number stands for
values that are rare or were never seen in training. A number becomes a category by its size, as the winners of the
Criteo challenge did it: floor(log(x)^2) above 2.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.downloads import fetch
from datamodules.tabular.tables import read_table

URL = "https://raw.githubusercontent.com/shenweichen/DeepCTR-Torch/f6854257b1fc29caab655ce72c6b5528b7432574/examples/"
SHA256 = "08b84f12a22438fb534e989a5e4fa245726b2bda001983556bc2aea2f094f724"


class ClickLog(TensorDataModule):
    """Clicks in memory. A subclass supplies ``table``.

    Args:
        num_values: Rows of the table of all fields' values.
        num_fields: F.
        min_count: Values with fewer training rows are one, the unknown one (D2L 21.8: 4).
        val_fraction, test_fraction: Fractions of the rows, the last ones of the log: first training, then validation,
            then test.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_values", "num_fields")
    input_means = "values of the fields by their places in processor.json"

    def __init__(
        self,
        num_values: int,
        num_fields: int,
        min_count: int = 4,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        self.num_values, self.num_fields, self.min_count = num_values, num_fields, min_count
        self.val_fraction, self.test_fraction = val_fraction, test_fraction
        #: The known values of each field, in the order of their numbers.
        self.known: dict[str, list[str]] = {}

    def table(self) -> tuple[pd.DataFrame, np.ndarray]:
        """The fields as texts (N, F), and the clicks (N,)."""
        raise NotImplementedError

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "known": self.known}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.known = processor["known"]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        table, clicked = self.table()
        if table.shape[1] != self.num_fields:
            raise UserError(f"{type(self).__name__} has {table.shape[1]} fields, data.num_fields is {self.num_fields}")
        if not set(np.unique(clicked)) <= {0, 1}:
            raise UserError(f"{type(self).__name__}: a click is 0 or 1, not {sorted(set(np.unique(clicked)))[:5]}")
        rows = len(table)
        first = rows - round(self.test_fraction * rows) - round(self.val_fraction * rows)
        second = rows - round(self.test_fraction * rows)
        if not self.known:
            self.known = {name: frequent(table[name][:first], self.min_count) for name in table}
        x = torch.from_numpy(numbered(table, self.known))
        if (needed := sum(1 + len(values) for values in self.known.values())) > self.num_values:
            raise UserError(
                f"the fields have {needed:,} values: give --data.num_values {needed}, or a larger --data.min_count"
            )
        y = torch.from_numpy(clicked).float()
        parts = {"train": slice(0, first), "val": slice(first, second), "test": slice(second, rows)}
        return {name: (x[part], y[part]) for name, part in parts.items()} | {"predict": (x[second:],)}

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (batch[0].long(), *batch[1:])

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The fraction of clicks, and logistic regression on the values."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import log_loss, roc_auc_score
        from sklearn.preprocessing import OneHotEncoder

        (x, y), (x_test, y_test) = ([part.numpy() for part in self.splits[name]] for name in ("train", "test"))
        code = OneHotEncoder(handle_unknown="ignore").fit(x)
        fitted = LogisticRegression(max_iter=300).fit(code.transform(x), y)
        p = fitted.predict_proba(code.transform(x_test))[:, 1]
        same = np.full(len(y_test), y.mean())
        return {
            "chance": {
                "what": "the fraction of clicks",
                "metrics": {"test/auc": 0.5, "test/loss": float(log_loss(y_test, same))},
            },
            "baseline": {
                "what": "logistic regression on the values (scikit-learn)",
                "metrics": {"test/auc": float(roc_auc_score(y_test, p)), "test/loss": float(log_loss(y_test, p))},
            },
        }


def frequent(column: pd.Series, min_count: int) -> list[str]:
    """The values of a column with enough rows, the most frequent first."""
    counts = column.value_counts()
    return sorted(counts[counts >= min_count].index, key=lambda value: (-counts[value], value))


def numbered(table: pd.DataFrame, known: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Values as rows (N, F) int32 of one table: each field begins with its unknown value."""
    columns, offset = [], 0
    for name, values in known.items():
        place = {value: 1 + k for k, value in enumerate(values)}
        columns.append(table[name].map(place).fillna(0).to_numpy(np.int32) + offset)
        offset += 1 + len(values)
    return np.stack(columns, 1).astype(np.int32)


def by_size(number: float) -> str:
    """A count as a category: itself up to 2, floor(log(x)^2) above; ``missing`` for none."""
    if math.isnan(number):
        return "missing"
    return str(int(number)) if number <= 2 else f"log {int(math.log(number) ** 2)}"


class CriteoSample(ClickLog):
    """200 rows of Criteo's display ads: 13 counts and 26 categories of each. Too few to learn much: a test of the form.

    Args:
        num_values, num_fields, min_count: For 200 rows.
        **clicks: See ``ClickLog``.
    """

    def __init__(self, num_values: int = 400, num_fields: int = 39, min_count: int = 4, **clicks: Any) -> None:
        super().__init__(num_values, num_fields, min_count, **clicks)

    def table(self) -> tuple[pd.DataFrame, np.ndarray]:
        path = fetch(URL + "criteo_sample.txt", SHA256, "criteo_sample/criteo_sample.txt")
        rows = read_table(str(path), text=[f"C{k}" for k in range(1, 27)])
        fields = {f"I{k}": rows[f"I{k}"].astype(float).map(by_size) for k in range(1, 14)}
        fields |= {f"C{k}": rows[f"C{k}"].fillna("missing") for k in range(1, 27)}
        return pd.DataFrame(fields), rows["label"].to_numpy(np.int64)
