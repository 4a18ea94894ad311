"""Auto MPG: sizes, scaling by the training rows only, and a task that can be learned."""

import torch

from datamodules.tabular.auto_mpg import AutoMPG
from lit_models.linear.linear_regression import closed_form


def test_splits_are_disjoint_and_whole() -> None:
    parts = AutoMPG().load("fit")
    assert [len(parts[name][1]) for name in ("train", "val", "test")] == [232, 60, 100]
    cars = torch.cat([torch.cat([parts[n][0], parts[n][1][:, None]], 1) for n in ("train", "val", "test")])
    assert cars.shape == (392, 10) and len(cars.unique(dim=0)) == 392


def test_training_numbers_are_standardized_and_test_numbers_by_the_same_scale() -> None:
    data = AutoMPG()
    parts = data.load("fit")
    numbers = parts["train"][0][:, :6]
    torch.testing.assert_close(numbers.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(numbers.std(0), torch.ones(6), atol=1e-5, rtol=0)
    assert float(parts["test"][0][:, :6].mean(0).abs().max()) > 1e-3  # its own mean was not taken out
    years = parts["test"][0][:, 5] * data.std[5] + data.mean[5]
    assert bool(((years > 69.9) & (years < 82.1)).all())


def test_origin_is_one_of_three() -> None:
    origin = AutoMPG().load("fit")["train"][0][:, 6:]
    assert bool((origin.sum(1) == 1).all()) and bool((origin.sum(0) > 10).all())


def test_target_is_in_miles_per_gallon() -> None:
    y = AutoMPG().load("fit")["train"][1]
    assert 22 < float(y.mean()) < 25 and float(y.min()) >= 9


def test_linear_regression_explains_most_of_it() -> None:
    parts = AutoMPG().load("fit")
    weights, bias = closed_form(*parts["train"])
    x, y = parts["test"]
    rest = y - (x @ weights + bias)
    assert 0.75 < 1 - float(rest.var() / y.var()) < 0.9


def test_processor_says_how_a_car_becomes_numbers() -> None:
    data = AutoMPG()
    data.load("fit")
    saved = data.processor()
    assert len(saved["features"]) == data.num_features == 9 and len(saved["mean"]) == len(saved["std"]) == 6
