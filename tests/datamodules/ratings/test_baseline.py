"""Baselines by hand."""

import numpy as np
import pytest
import torch

from datamodules.ratings.baseline import mean_ratings, random_and_popular, ranks_by
from datamodules.ratings.planted_films import PlantedFilms


def test_a_tie_comes_before_and_wanted_items_share_theirs() -> None:
    scores, left = np.array([3.0, 1, 2, 2, 2, 0]), np.array([True, True, True, True, True, False])
    assert ranks_by(scores, left, np.array([2])).tolist() == [4]
    assert sorted(ranks_by(scores, left, np.array([2, 3])).tolist()) == [3, 4]


def test_expected_hit_rate_of_a_random_order_is_ten_of_what_is_left() -> None:
    data = PlantedFilms(num_users=30, num_items=60, shortest=6, longest=6)
    data.setup("test")
    found = random_and_popular(data)["chance"]["metrics"]
    assert found["test/hit@10"] == pytest.approx(10 / 55)


def test_means_of_two_ratings_by_hand() -> None:
    train = (torch.tensor([[0, 0], [1, 1]]), torch.tensor([5.0, 1.0]))
    test = (torch.tensor([[0, 0]]), torch.tensor([4.0]))
    found = mean_ratings(train, test, 2, 2, damping=1.0)
    assert found["chance"]["metrics"]["test/rmse"] == pytest.approx(1.0)
    # item: 2 / 2 = 1; user: (5 - 3 - 1) / 2 = 0.5
    assert found["baseline"]["metrics"]["test/mae"] == pytest.approx(0.5)
