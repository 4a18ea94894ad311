"""Numbers, dates and missing values as programs and people write them."""

import math

import numpy as np
import pandas as pd
import pytest

from datamodules.tabular.column import Column
from datamodules.tabular.columns import origin_of
from datamodules.tabular.formats import (
    date_format,
    decimals_of,
    describe_date,
    is_ambiguous,
    is_missing_word,
    numbers_in,
    parse,
    shows_decimal,
    to_days,
    unit_of,
)


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1.234,50", ",", 1234.5),
        ("1,234.50", ".", 1234.5),
        ("12,34,567", ".", 1234567),  # lakhs
        ("1 234,5", ",", 1234.5),
        ("1\u202f234,5", ",", 1234.5),
        ("1'234.5", ".", 1234.5),
        ("$5", ".", 5),
        ("US$ 1,000", ".", 1000),
        ("-$5.50", ".", -5.5),
        ("($1,234.50)", ".", -1234.5),
        ("12,5 €", ",", 12.5),
        ("45%", ".", 45),
        ("\u22125", ".", -5),
        ("5-", ".", -5),
        ("1,5e3", ",", 1500),
        ("12 kg", ".", 12),
        (",5", ",", 0.5),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665", ".", 1234.5),
        ("१,२३४.५", ".", 1234.5),
        ("\uff11\uff12\uff0e\uff15\uff05", ".", 12.5),
        ('="12.50"', ".", 12.5),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, decimal: str, number: float) -> None:
    found = parse(text, decimal)
    assert found is not None and found[0] == number


@pytest.mark.parametrize("text", ["1,23,4", "A1", "1.2.3", "12-5", "--5", "(5", "$5 kg", "", "12:30", "0.123,4"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse(text, ".") is None


def test_the_decimal_sign_is_what_reads_all_cells() -> None:
    assert decimals_of(["12,5", "3"]) == "," and decimals_of(["1,234", "5"]) == ".,"
    assert decimals_of(["1,234.5", "3"]) == "." and decimals_of(["12,5", "12.5"]) == ""
    assert shows_decimal(["1,234", "1,5"]) == "," and shows_decimal(["1,234", "5"]) == ""


def test_a_unit_is_the_same_in_a_column_or_there_is_none() -> None:
    assert numbers_in(["12 kg", "5 kg", "7"]).tolist() == [12, 5, 7] and unit_of(["12 kg"], ".") == "kg"
    assert np.isnan(numbers_in(["12 kg", "5 lb"])).all()
    assert math.isnan(numbers_in(["3O", "1", "2", "4"])[0])  # a typing error
    assert np.isnan(numbers_in(["5 lb"], unit="kg")).all()


@pytest.mark.parametrize(
    ("texts", "style"),
    [
        (["03/27/2021", "01/02/2021"], "month/day/year"),
        (["27/03/2021", "01/02/2021"], "day/month/year"),
        (["27.03.2021", "01.02.2021"], "day.month.year"),
        (["27.03.2021 10:30", "01.02.2021 09:00"], "day.month.year"),
        (["2021-03-27", "2021-03-28T10:00:00Z"], "year-month-day"),
        (["27-Mar-2021"], "day-month-year"),
        (["Mar 27, 2021"], "month day, year"),
        (["03/27/2021 10:30 PM"], "month/day/year"),
        (["2021/03/27"], "year/month/day"),
    ],
)
def test_a_date_is_read_as_it_is_written(texts: list[str], style: str) -> None:
    assert describe_date(date_format(texts)) == style


def test_a_date_that_may_be_both_is_read_as_asked() -> None:
    assert date_format(["03/04/2021"], day_first=True) == "%d/%m/%Y"
    assert date_format(["03/04/2021"], day_first=False) == "%m/%d/%Y"
    assert is_ambiguous(["03/04/2021"]) and not is_ambiguous(["03/27/2021"]) and not is_ambiguous(["03.04.2021"])


def test_nanoseconds_are_kept_behind_an_origin() -> None:
    values = pd.Series(["2021-03-27T10:00:00.000000001Z", "2021-03-27T10:00:00.000000004Z", None], dtype=object)
    origin = int(pd.Timestamp("2021-03-27T10:00:00", tz="UTC").value)
    days = to_days(values, origin=origin)
    assert (days[:2] * 86400e9).tolist() == pytest.approx([1, 4]) and math.isnan(days[2])


@pytest.mark.parametrize("word", ["NA", "n/a", "None", "NULL", "#DIV/0!", "-", "?", "k.A.", " nan "])
def test_words_for_a_missing_value(word: str) -> None:
    assert is_missing_word(word)


@pytest.mark.parametrize(("date", "days"), [("9999-12-31", 2_932_896), ("1492-10-12", -174_301)])
def test_dates_that_nanoseconds_do_not_reach_are_days(date: str, days: int) -> None:
    values = pd.Series(["1970-01-02", date, None])
    assert to_days(values)[:2].tolist() == [1, days] and math.isnan(to_days(values)[2])
    assert origin_of(values, Column("until", "date", style="%Y-%m-%d")) == 0
