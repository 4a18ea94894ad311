"""Spans and their F1, against the package seqeval."""

import random

import pytest

from lit_models.functional.spans import f1, span_counts, spans


def test_a_tag_that_cannot_continue_a_span_begins_one() -> None:
    assert spans(["B-a", "I-a", "I-b", "O", "I-a", "B-a"]) == [("a", 0, 1), ("b", 2, 2), ("a", 4, 4), ("a", 5, 5)]
    assert spans(["S-a", "B-a", "E-a", "E-a"]) == [("a", 0, 0), ("a", 1, 2), ("a", 3, 3)]
    assert spans(["O", "O"]) == [] == spans([])


def test_random_tags_have_seqevals_spans_and_f1() -> None:
    metrics = pytest.importorskip("seqeval.metrics")
    from seqeval.metrics.sequence_labeling import get_entities

    draw = random.Random(0)
    choices = ["O", *(f"{p}-{k}" for p in "BIES" for k in ("x", "y"))]
    pairs = [[[draw.choice(choices) for _ in range(n)] for _ in range(2)] for n in range(1, 60) for _ in range(4)]
    for pair in pairs:
        for tags in pair:
            assert spans(tags) == get_entities(tags)
    totals = [sum(counts) for counts in zip(*(span_counts(t, g) for t, g in pairs), strict=True)]
    assert f1(*totals) == pytest.approx(metrics.f1_score([t for t, _ in pairs], [g for _, g in pairs]))


def test_a_name_with_a_wrong_end_is_wrong() -> None:
    assert span_counts(["B-a", "I-a", "O"], ["B-a", "O", "O"]) == (0, 1, 1)
    assert f1(0, 1, 1) == 0 and f1(1, 1, 2) == pytest.approx(2 / 3)
