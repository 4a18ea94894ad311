"""Diabetes: disjoint splits, scaling by the training rows, another split for each fold."""

import torch

from datamodules.tabular.diabetes import Diabetes


def test_splits_are_disjoint_and_whole() -> None:
    parts = Diabetes().load("fit")
    assert [len(parts[name][1]) for name in ("train", "val", "test")] == [262, 60, 120]
    rows = torch.cat([torch.cat([parts[n][0], parts[n][1][:, None]], 1) for n in ("train", "val", "test")])
    assert len(rows.unique(dim=0)) == 442


def test_columns_are_standardized_by_the_training_rows_and_the_target_is_not() -> None:
    parts = Diabetes().load("fit")
    x, y = parts["train"]
    torch.testing.assert_close(x.mean(0), torch.zeros(10), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(0), torch.ones(10), atol=1e-4, rtol=0)
    assert float(parts["test"][0].mean(0).abs().max()) > 1e-3
    assert float(y.min()) >= 25 and float(y.max()) <= 346


def test_folds_are_other_splits_and_the_processor_says_the_scale() -> None:
    first, second = Diabetes(), Diabetes(fold=1)
    assert not torch.equal(first.load("fit")["test"][1], second.load("fit")["test"][1])
    assert first.processor()["features"][:3] == ["age", "sex", "bmi"] and len(first.processor()["std"]) == 10
