"""Diabetes: sizes, statistics of the training rows, and how much a linear rule explains."""

import torch

from datamodules.tabular.standardized_diabetes import StandardizedDiabetes
from lit_models.linear.linear_regression import closed_form


def test_splits_are_whole_and_standardized_by_the_training_rows() -> None:
    data = StandardizedDiabetes()
    parts = data.load("fit")
    assert [len(parts[name][1]) for name in ("train", "val", "test")] == [302, 60, 80]
    x, y = parts["train"]
    torch.testing.assert_close(torch.cat([x.mean(0), y.mean()[None]]), torch.zeros(11), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cat([x.std(0), y.std()[None]]), torch.ones(11), atol=1e-5, rtol=0)
    assert float(parts["test"][0].mean(0).abs().max()) > 1e-3 and 70 < data.scale < 85


def test_the_best_linear_rule_explains_about_half() -> None:
    parts = StandardizedDiabetes().load("fit")
    weights, bias = closed_form(*parts["train"])
    x, y = parts["test"]
    assert 0.2 < float((x @ weights + bias - y).square().mean()) / 2 < 0.3
