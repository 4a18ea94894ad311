"""Click logs: rare and unknown values, offsets of fields, numbers by size, mistakes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.messages import UserError
from datamodules.ratings.clicks import ClickLog, CriteoSample, by_size, frequent, numbered


class Log(ClickLog):
    """Ten rows of two fields."""

    def __init__(self, clicked: Any = (0, 1) * 5, **clicks: Any) -> None:
        super().__init__(**({"num_values": 6, "num_fields": 2, "min_count": 2} | clicks))
        self.clicked = np.array(clicked)

    def table(self) -> tuple[pd.DataFrame, np.ndarray]:
        return pd.DataFrame({"site": [*"aabbbaacda"], "ad": [*"xyxyxyzzzz"]}), self.clicked


def test_rare_and_unseen_values_are_the_first_of_their_field() -> None:
    data = Log()
    data.setup("fit")
    data.setup("test")
    assert data.known == {"site": ["a", "b"], "ad": ["x", "y"]}  # of the seven training rows: a 4, b 3, x 3, y 3, z 1
    x = data.splits["test"][0]
    assert x.tolist() == [[0, 3], [1, 3]]  # d, a; z of the second field, whose numbers begin at 3


def test_values_come_from_the_training_rows_and_the_run_remembers_them() -> None:
    data, again = Log(), Log()
    data.setup("fit")
    again.known = {"site": ["b"], "ad": ["z"]}
    again.setup("test")
    assert again.splits["test"][0].tolist() == [[0, 3], [0, 3]]
    again.load_processor(data.processor())
    assert again.known == data.known


def test_offsets_and_order_by_frequency() -> None:
    column = pd.Series([*"bbaac"])
    assert frequent(column, 1) == ["a", "b", "c"] and frequent(column, 2) == ["a", "b"]
    table = pd.DataFrame({"one": ["a", "q"], "two": ["t", "s"]})
    assert numbered(table, {"one": ["a"], "two": ["s", "t"]}).tolist() == [[1, 4], [0, 3]]


@pytest.mark.parametrize(("number", "name"), [(float("nan"), "missing"), (-1, "-1"), (2, "2"), (100, "log 21")])
def test_counts_become_categories_by_their_size(number: float, name: str) -> None:
    assert by_size(number) == name


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_values": 5}, "the fields have 6 values: give --data.num_values 6"),
        ({"num_fields": 3}, "has 2 fields, data.num_fields is 3"),
        ({"clicked": (0, 2) * 5}, "a click is 0 or 1"),
    ],
)
def test_mistakes_are_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Log(**options).setup("fit")


@pytest.mark.realdata
def test_criteo_has_39_fields_and_its_clicks() -> None:
    data = CriteoSample()
    data.setup("fit")
    assert data.splits["train"][0].shape == (140, 39)
    assert 0 < float(data.splits["train"][1].mean()) < 0.5
