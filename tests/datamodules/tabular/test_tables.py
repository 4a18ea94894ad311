"""Reading, targets and splits, the parts that the tests of the datamodule do not cover."""

import numpy as np
import pandas as pd
import pytest
import torch

from common.messages import UserError
from datamodules.tabular.tables import class_numbers, logarithms, read_target, split_rows


def test_folds_part_the_rows() -> None:
    values = pd.Series(np.arange(23.0))
    held = [split_rows(values, [], "t.csv", 0.1, 0.0, 4, fold)[2] for fold in range(4)]
    assert torch.cat(held).sort().values.tolist() == list(range(23))
    for fold in range(4):
        parts = split_rows(values, [], "t.csv", 0.1, 0.0, 4, fold)
        assert torch.cat(parts).sort().values.tolist() == list(range(23))


def test_without_folds_nothing_changes() -> None:
    values = pd.Series(np.arange(40.0))
    sizes = [len(part) for part in split_rows(values, [], "t.csv", 0.25, 0.25)]
    assert sizes == [20, 10, 10]


def test_logarithms_keep_the_rows_and_name_the_one_without() -> None:
    values = pd.Series([1.0, np.e, 0.0], index=[4, 7, 9])
    assert logarithms(values[:2], "t.csv", "y").tolist() == [0.0, 1.0]
    with pytest.raises(UserError, match="'y' is 0 in row 10: it has no logarithm"):
        logarithms(values, "t.csv", "y")


def test_classes_are_counted_in_their_order() -> None:
    values, classes = read_target(pd.DataFrame({"y": ["b", "a", "b"]}), "t.csv", "y", "classification")
    assert classes == ["a", "b"] and class_numbers(values, classes).tolist() == [1, 0, 1]
