"""What is told about a table's columns."""

import numpy as np
import pandas as pd

from datamodules.tabular.columns import judge_columns
from datamodules.tabular.report import by_kind, describe_table, other_columns


def table() -> pd.DataFrame:
    return pd.DataFrame({"size, m": [1.0, 2.0, 5.0], "town": ["a", None, "b"], "same": ["x"] * 3})


def test_columns_are_told_by_kind() -> None:
    assert by_kind(judge_columns(table(), np.arange(3))) == "number: 'size, m'; category: town (3)"


def test_each_column_has_a_line() -> None:
    lines = describe_table("t.csv", table(), judge_columns(table(), np.arange(3)), "town", ["same"])
    assert lines == [
        "t.csv: 3 rows, 3 columns",
        "  size, m  number",
        "  town     the target; category, 3: a, b, missing; 1 rows missing",
        "  same     left out: data.ignore",
    ]


def test_new_columns_and_another_order_are_told() -> None:
    assert other_columns(["a", "b"], ["a", "y", "b"]) == other_columns(["a", "z"], []) == []
    assert "not used: z" in other_columns(["a", "z"], ["a", "y"])[0]
    assert "another order" in other_columns(["b", "a"], ["a", "b"])[0]
