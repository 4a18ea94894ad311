"""Losses of pairs by hand, and negatives that a user does not have."""

import math

import pytest
import torch

from lit_models.functional.ranking_losses import draw_negatives, ranking_loss

P, N = torch.tensor([[1.0]]), torch.tensor([[0.0, 2.0]])
LOG = math.log


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bpr", (LOG(1 + math.exp(-1)) + LOG(1 + math.e)) / 2),
        ("hinge", (0 + 2) / 2),
        ("softmax", -LOG(math.e / (math.e + 1 + math.exp(2)))),
        ("bce", LOG(1 + math.exp(-1)) + (LOG(2) + LOG(1 + math.exp(2))) / 2),
    ],
)
def test_losses_by_hand(kind: str, expected: float) -> None:
    assert float(ranking_loss(kind, P, N)) == pytest.approx(expected)  # type: ignore[arg-type]


def test_negatives_are_uniform_over_what_a_user_does_not_have() -> None:
    users = torch.zeros(4000, dtype=torch.long) + 1
    positives = torch.tensor([0, 1, 5 + 2, 5 + 4])  # user 1 has 2 and 4 of five items
    counts = draw_negatives(users, 3, 5, positives).flatten().bincount(minlength=5)
    assert counts[2] == counts[4] == 0
    assert all(abs(int(counts[k]) - 4000) < 250 for k in (0, 1, 3))


def test_without_positives_any_item_is_drawn() -> None:
    drawn = draw_negatives(torch.zeros(500, dtype=torch.long), 2, 3, torch.zeros(0, dtype=torch.long))
    assert drawn.unique().tolist() == [0, 1, 2]
