"""Thresholds without bias, counts, their errors and intervals."""

import pytest
import torch

from lit_models.functional.counting import count_errors, counts_of, error_interval, unbiased_thresholds


def test_as_many_detections_count_as_there_are_objects() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, labels = torch.rand(200, generator=generator), torch.randint(3, (200,), generator=generator)
    totals = torch.tensor([20, 60, 1])
    thresholds = unbiased_thresholds(scores, labels, totals)
    assert counts_of(scores, labels, thresholds).tolist() == totals.tolist()


def test_a_class_without_objects_or_with_too_few_detections_has_a_threshold() -> None:
    scores, labels = torch.tensor([0.9, 0.4]), torch.tensor([0, 1])
    assert unbiased_thresholds(scores, labels, torch.tensor([0, 5]), least=0.02).tolist() == pytest.approx([1.0, 0.02])


def test_padding_is_not_counted_and_batches_are_counted_row_by_row() -> None:
    scores = torch.tensor([[0.9, 0.6, 0.0], [0.8, 0.7, 0.2]])
    labels = torch.tensor([[0, 1, -1], [1, 1, 0]])
    assert counts_of(scores, labels, torch.tensor([0.5, 0.65])).tolist() == [[1, 0], [0, 2]]


def test_errors_of_different_signs_cancel_in_the_bias_only() -> None:
    found, true = torch.tensor([[4, 0], [2, 0]]), torch.tensor([[3, 0], [3, 0]])
    errors = count_errors(found, true)
    assert errors["count_error"] == pytest.approx(2 / 6) and errors["count_bias_0"] == 0
    assert errors["count_error_0"] == pytest.approx(2 / 6) and errors["count_error_1"] == 0


def test_the_interval_holds_the_error_and_shrinks_with_more_pictures() -> None:
    generator = torch.Generator().manual_seed(1)
    true = torch.randint(5, 15, (400, 2), generator=generator)
    found = true + torch.randint(-1, 2, (400, 2), generator=generator)
    low, high = error_interval(found, true)
    assert low < count_errors(found, true)["count_error"] < high
    few = error_interval(found[:40], true[:40])
    assert few[1] - few[0] > 2 * (high - low)
    one = error_interval(found[:1], true[:1])
    assert one[0] == one[1]
