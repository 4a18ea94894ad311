"""Columns: kind, statistics and encoding of each."""

import numpy as np
import pandas as pd
import pytest

from common.messages import UserError
from datamodules.tabular.columns import Column, fit_column, fit_columns, kind_of

ALL = np.arange(4)


def texts(*cells: str | None, name: str = "x") -> pd.Series:
    return pd.Series(cells, dtype=str, name=name)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (("1", "-2.5e3", None), "number"),
        ((None, None), "number"),
        (("2020-01-31", "1969-12-31", None), "date"),
        (("2020-01-31T10:00:00Z", "2020-01-31 10:00"), "date"),
        (("2020-13-45", "2020-01-31"), "text"),  # no such month
        (("31.01.2020",), "date"),
        (("31.01.2020", "01.31.2020"), "text"),  # two orders
        (("True", "False"), "text"),
        (("A1", "7"), "text"),
    ],
)
def test_kind_is_decided_by_all_values(cells: tuple[str | None, ...], kind: str) -> None:
    assert kind_of(texts(*cells)) == kind


def test_one_slip_among_numbers_is_named() -> None:
    with pytest.raises(UserError, match="column 'x', row 3: '3O' is not a number"):
        kind_of(texts("1", "2", "3O", *map(str, range(20))))


def test_statistics_are_of_the_training_rows() -> None:
    column = fit_column(texts("1", "3", None, "1000"), np.array([0, 1, 2]))
    assert (column.mean, column.std, column.indicator, column.width) == (2.0, 1.0, True, 2)
    assert column.encode(texts("3", None)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_a_number_missing_in_new_rows_alone_becomes_the_mean() -> None:
    column = fit_column(texts("1", "3", "1", "3"), ALL)
    assert column.width == 1 and column.encode(texts(None)).tolist() == [[0.0]]


def test_a_constant_that_is_missing_at_times_leaves_its_indicator() -> None:
    column = fit_column(texts("5", "5", None, "5"), ALL)
    assert column.encode(texts("5", None)).tolist() == [[0.0], [1.0]]


def test_categories_are_those_of_the_training_rows() -> None:
    column = fit_column(texts("b", "a", None, "c"), np.array([0, 1, 2]))
    assert column.categories == ["a", "b", "missing"]
    assert column.encode(texts("c", "b", None)).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_column_comes_back_from_what_was_saved() -> None:
    for column in (fit_column(texts("1", "3", None, "4"), ALL), fit_column(texts("a", "b", "a", None), ALL)):
        assert Column(**column.saved()) == column


def test_infinite_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="column 'x', row 2: '-inf' is infinite"):
        fit_column(texts("1", "-inf", "2", "3"), ALL)


def test_columns_constant_over_the_training_rows_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.concat([texts("1", "1", "1", "2", name="same"), texts("1", "2", "3", "4", name="good")], axis=1)
    assert [column.name for column in fit_columns(table, np.array([0, 1, 2]))] == ["good"]
    assert capsys.readouterr().err == "note: not used, because the same in all training rows: same\n"
