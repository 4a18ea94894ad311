"""One column: what it says of itself, what it refuses, what it did not see in training."""

import numpy as np
import pandas as pd
import pytest

from common.messages import UserError
from datamodules.tabular.column import Column
from datamodules.tabular.columns import fit_column


def texts(*cells: str | None) -> pd.Series:
    return pd.Series(cells, dtype=object, name="x")


def test_a_column_says_what_it_was_taken_for() -> None:
    assert fit_column(texts("1,5", "2,5 ", "3"), np.arange(3)).describe() == "number, decimal comma"
    assert fit_column(texts("5 kg", "6 kg"), np.arange(2)).describe() == "number in kg"
    assert fit_column(texts("b", "a", None), np.arange(3)).describe() == "category, 3: a, b, missing"
    assert fit_column(texts("27.03.2021", "01.02.2020"), np.arange(2)).describe() == "date, day.month.year"


def test_unseen_categories_are_counted_with_their_names() -> None:
    column = fit_column(texts("b", "a", "NA"), np.arange(3))
    assert column.unseen(texts("b", "c", "c", None)) == {"c": 2, "missing": 1}
    assert fit_column(texts("1", "2"), np.arange(2)).unseen(texts("7")) == {}


def test_a_word_for_missing_is_the_missing_category_where_it_is_no_category_itself() -> None:
    column = fit_column(texts("b", "a", None), np.arange(3))
    assert column.encode(texts("n/a", "?", None)).tolist() == [[0, 0, 1]] * 3


def test_numbers_are_read_as_in_training_or_refused() -> None:
    column = fit_column(texts("1,5", "2,5"), np.arange(2))
    assert column.numbers(texts("3,5", "NA")).tolist()[0] == 3.5
    with pytest.raises(UserError, match=r"row 1: '3\.5' is not a number \(number, decimal comma\)"):
        column.numbers(texts("3.5"))


def test_numbers_where_dates_were_are_refused() -> None:
    column = fit_column(texts("2020-01-02", "2020-01-03"), np.arange(2))
    with pytest.raises(UserError, match="has numbers where the model was trained with dates"):
        column.numbers(pd.Series([1.0, 2.0], name="x"))


def test_a_column_of_an_earlier_run_is_read() -> None:
    saved = {"name": "x", "kind": "date", "mean": 10.0, "std": 1.0, "indicator": False, "categories": []}
    assert Column(**saved).encode(texts("1970-01-12")).tolist() == [[1.0]]
