"""Splits are disjoint, stratified and fixed by their seed."""

import pytest
import torch

from common.messages import UserError
from datamodules.splits import split_fractions, split_indices, split_texts


def test_splits_are_disjoint_stratified_and_fixed() -> None:
    y = torch.arange(1000) % 10
    parts = split_indices(y, (700, 100, 200))
    assert [len(p) for p in parts] == [700, 100, 200]
    assert len(set(torch.cat(parts).tolist())) == 1000
    assert all(torch.equal(y[p].bincount(), torch.full((10,), len(p) // 10)) for p in parts)
    assert all(torch.equal(a, b) for a, b in zip(parts, split_indices(y, (700, 100, 200)), strict=True))


def test_a_small_class_has_a_row_in_each_split() -> None:
    y = torch.tensor([0] * 20 + [1] * 3)
    parts = split_fractions(y, 0.1, 0.1)
    assert sorted(torch.cat(parts).tolist()) == list(range(23))
    assert all((y[part] == 1).sum() == 1 for part in parts)


def test_the_rows_of_a_split_are_those_that_they_always_were() -> None:
    """Runs were measured with them, and a run that is tested again finds its own test rows."""
    y = torch.tensor([1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1])
    expected, draw = ([], [], []), torch.Generator().manual_seed(0)
    for label, sizes in ((0, (4, 1, 1)), (1, (6, 2, 2))):
        rows = (y == label).nonzero().flatten()
        parts = rows[torch.randperm(len(rows), generator=draw)].split(sizes)
        expected = tuple([*one, *part.tolist()] for one, part in zip(expected, parts, strict=True))
    assert [part.tolist() for part in split_fractions(y, 0.2, 0.2)] == [sorted(one) for one in expected]


@pytest.mark.parametrize(("val", "test"), [(-0.1, 0.2), (0.5, 0.5), (float("nan"), 0.1), (0.1, 2.0)])
def test_fractions_that_leave_nothing_are_named(val: float, test: float) -> None:
    with pytest.raises(UserError, match=f"data.val_fraction {val} and data.test_fraction {test} leave nothing"):
        split_fractions(torch.zeros(20), val, test)


def test_all_rows_of_a_text_are_in_one_split_and_texts_without_copies_where_they_were() -> None:
    y = torch.arange(60) % 2
    parts, said = split_texts([str(i) for i in range(60)], y, 0.2, 0.2)
    assert all(torch.equal(a, b) for a, b in zip(parts, split_fractions(y, 0.2, 0.2), strict=True)) and not said
    texts = [str(i % 30) for i in range(60)]
    parts, said = split_texts(texts, y, 0.2, 0.2)
    once = split_fractions(y[:30], 0.2, 0.2)
    assert [part.tolist() for part in parts] == [[*part.tolist(), *(part + 30).tolist()] for part in once]
    assert said == ["30 rows repeat a text and are in the split of its first row"]


def test_a_class_with_too_few_different_texts_keeps_a_row_in_each_split() -> None:
    y = torch.tensor([0] * 20 + [1] * 3)
    parts, said = split_texts([*map(str, range(20)), "same", "same", "same"], y, 0.1, 0.1)
    assert all((y[part] == 1).sum() == 1 for part in parts)
    assert said == ["2 rows repeat a text, some in another split: a class has fewer than 3 different ones"]
