"""Airfoil self-noise: a table's last column is the target; the real file where it is there."""

import os
from pathlib import Path

import pytest
import torch

from datamodules.tabular.airfoil import Airfoil, standardized
from lit_models.linear.linear_regression import closed_form


def test_a_table_is_divided_and_standardized_by_its_training_rows() -> None:
    table = torch.arange(60.0).view(20, 3)
    splits, scale = standardized(table, (12, 4, 4))
    assert [len(splits[name][1]) for name in ("train", "val", "test")] == [12, 4, 4]
    torch.testing.assert_close(splits["train"][1].std(), torch.tensor(1.0))
    torch.testing.assert_close(splits["train"][0][:, 0], splits["train"][1])  # columns on a line are one
    assert scale == pytest.approx(float(table[:, 2].std()), rel=0.3)


FILE = Path(os.environ.get("DIVE_DATA") or "/nonexistent") / "airfoil/airfoil_self_noise.dat"


@pytest.mark.public
@pytest.mark.skipif(not FILE.is_file(), reason="DIVE_DATA has no airfoil")
def test_the_best_linear_rule_has_the_loss_where_the_books_curves_end() -> None:
    parts = Airfoil().load("fit")
    x, y = parts["train"]
    weights, bias = closed_form(x, y)
    assert 0.22 < float((x @ weights + bias - y).square().mean()) / 2 < 0.26  # D2L 12.5 to 12.10: .24 to .25
