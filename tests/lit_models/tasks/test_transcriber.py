"""What all transcribers share: errors of a set, and which label is taken for which."""

import pytest
import torch

from lit_models.tasks.transcriber import Transcriber, errors_of


def test_errors_are_counted_by_label_and_by_string() -> None:
    rows = [([1, 2, 3], [1, 2, 3], 0), ([1, 2], [1], 1), ([2, 2, 2, 2, 2], [2, 1, 2, 2, 2, 3], 2)]
    assert errors_of(rows) == {"label_error": 0.3, "string_error": pytest.approx(2 / 3)}


def test_labels_are_aligned_before_they_are_counted() -> None:
    counts = Transcriber(num_classes=3).confusion([[1, 2, 3], [2], [1]], [[1, 3, 3], [], [1, 1]])
    expected = torch.zeros(4, 4, dtype=torch.int64)
    expected[1, 1], expected[2, 3], expected[3, 3], expected[2, 0], expected[0, 1] = 2, 1, 1, 1, 1
    assert torch.equal(counts, expected)
