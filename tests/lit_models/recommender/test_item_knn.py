"""Item neighborhoods: the battery, cosines by hand."""

from functools import partial

import torch

from lit_models.recommender.item_knn import LitItemKNN, cosine_neighbors, gram
from tests.battery import RankerBattery

SGD = partial(torch.optim.SGD, lr=1.0)


class TestLitItemKNN(RankerBattery):
    parameters = 15 * 15

    def model(self) -> LitItemKNN:
        return LitItemKNN(num_users=12, num_items=15, neighbors=5, optimizer=SGD)


def test_cosines_of_three_items_by_hand() -> None:
    counts = gram(torch.tensor([0, 1, 3, 4, 6]), 3, 3)  # users: {0, 1}, {0, 1}, {0}
    assert counts.tolist() == [[3, 2, 0], [2, 2, 0], [0, 0, 0]]
    found = cosine_neighbors(counts.clone(), neighbors=2)
    assert abs(float(found[0, 1]) - 2 / 6**0.5) < 1e-12 and float(found[0, 0]) == 0
    shrunk = cosine_neighbors(counts.clone(), neighbors=2, shrink=1.0)
    assert abs(float(shrunk[0, 1]) - 2 / (6**0.5 + 1)) < 1e-12


def test_only_the_most_similar_items_speak() -> None:
    counts = torch.full((4, 4), 1.0, dtype=torch.float64) + 3 * torch.eye(4)
    counts[0, 1] = counts[1, 0] = 3
    found = cosine_neighbors(counts, neighbors=1)
    assert (found > 0).sum(0).tolist() == [1, 1, 1, 1] and float(found[1, 0]) == 0.75
