"""CO2 by date: the splits are apart in time, nothing is lost, and the numbers are those of Mauna Loa."""

import torch

from datamodules.tabular.co2_months import CO2Months


def test_the_test_split_is_the_future_and_every_month_is_in_one_split() -> None:
    parts = CO2Months().load("fit")
    assert [len(parts[name][0]) for name in ("train", "val", "test")] == [361, 40, 120]
    latest = max(float(parts[name][0].max()) for name in ("train", "val"))
    assert latest < 34 <= float(parts["test"][0].min())
    assert len(torch.cat([parts[n][0] for n in ("train", "val", "test")]).unique()) == 521


def test_may_is_higher_than_october_and_the_trend_rises() -> None:
    x, y = CO2Months().load("fit")["train"]
    assert 313 < float(y.min()) < 316 and y.dtype == torch.float64
    month = (x[:, 0] % 1 * 12).long() + 1
    assert float(y[month == 5].mean() - y[month == 10].mean()) > 4


def test_another_year_moves_the_split() -> None:
    assert float(CO2Months(split_year=1980).load("fit")["train"][0].max()) < 22
