"""Ratings in memory: duplicates, splits in order of time, histories as slices."""

import pytest
import torch

from common.messages import UserError
from datamodules.ratings.interactions import (
    Histories,
    Interactions,
    at_random,
    check_scale,
    leave_one_out,
    padded,
    places,
    without_duplicates,
)


def table(user: list[int], item: list[int], time: list[int], rating: list[float] | None = None) -> Interactions:
    stars = torch.tensor(rating or [1.0] * len(user))
    names = [str(k) for k in range(max(user) + 1)], [str(k) for k in range(max(item) + 1)]
    return Interactions(torch.tensor(user), torch.tensor(item), stars, torch.tensor(time), *names)


def test_of_duplicate_pairs_the_newest_is_kept_and_the_last_of_equal_times() -> None:
    found, count = without_duplicates(table([0, 1, 0, 0, 1], [2, 2, 2, 1, 2], [9, 3, 5, 5, 3], [1, 2, 3, 4, 5]))
    assert count == 2
    assert found.rating.tolist() == [1, 4, 5] and found.time.tolist() == [9, 5, 3]


def test_last_is_test_and_the_one_before_validation_whatever_the_order_of_the_rows() -> None:
    time = torch.tensor([30, 10, 20, 40, 5, 6])
    user = torch.tensor([0, 0, 0, 0, 1, 1])
    assert leave_one_out(user, time).tolist() == [1, 0, 0, 2, 0, 0]  # user 1 has too few


def test_equal_times_stay_in_the_order_of_the_rows() -> None:
    assert leave_one_out(torch.zeros(4, dtype=torch.long), torch.full((4,), 7)).tolist() == [0, 0, 1, 2]
    assert places(torch.tensor([1, 0, 1]), torch.tensor([2, 9, 1]))[0].tolist() == [1, 0, 0]


def test_random_parts_have_their_sizes_and_are_always_the_same() -> None:
    part = at_random(1000, 0.1, 0.2)
    assert part.bincount().tolist() == [700, 100, 200] and torch.equal(part, at_random(1000, 0.1, 0.2))
    assert not torch.equal(part, at_random(1000, 0.1, 0.2, seed=1))


def test_a_history_grows_part_by_part_and_never_has_its_targets() -> None:
    ratings = table([0, 0, 0, 0, 1, 1, 1], [4, 3, 2, 1, 0, 1, 2], [1, 2, 3, 4, 9, 8, 7])
    histories = Histories(ratings, leave_one_out(ratings.user, ratings.time))
    users = torch.tensor([0, 1])
    expected = {1: ([[4, 3], [5, 2]], [[2], [1]]), 2: ([[4, 3, 2], [5, 2, 1]], [[1], [0]])}
    for part, (known, wanted) in expected.items():
        _, start, end = histories.slices(users, part - 1).long().unbind(1)
        assert padded(histories.items, start, end, 5).tolist() == known
        assert histories.targets(users, part, 5).tolist() == wanted


def test_padding_is_in_front_or_behind() -> None:
    items, start, end = torch.arange(6), torch.tensor([0, 2, 5]), torch.tensor([2, 5, 5])
    assert padded(items, start, end, 9).tolist() == [[9, 0, 1], [2, 3, 4], [9, 9, 9]]
    assert padded(items, start, end, 9, front=False).tolist() == [[0, 1, 9], [2, 3, 4], [9, 9, 9]]
    assert padded(items[:0], start[:1] * 0, start[:1] * 0, 9).shape == (1, 0)


def test_a_rating_outside_of_the_scale_is_named() -> None:
    check_scale(torch.tensor([1.0, 5.0]), 1, 5, "x.csv")
    with pytest.raises(UserError, match=r"x\.csv: 2 ratings are outside of 1 to 5, the first is 7 in row 2"):
        check_scale(torch.tensor([1.0, 7.0, 0.0]), 1, 5, "x.csv")
