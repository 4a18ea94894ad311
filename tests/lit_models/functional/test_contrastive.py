"""The contrastive loss: chance, a right pairing, candidates of several processes."""

import math

import pytest
import torch
from torch.nn import functional as F

from lit_models.functional.contrastive import contrastive_loss, matching_loss


def test_vectors_that_say_nothing_cost_the_logarithm_of_the_candidates() -> None:
    same = F.normalize(torch.ones(8, 3), dim=1)
    assert float(contrastive_loss(same, same, 10.0)) == pytest.approx(math.log(8))


def test_right_pairs_cost_less_than_pairs_that_are_turned_around() -> None:
    a = torch.eye(4)
    assert float(contrastive_loss(a, a, 20.0)) < 1e-6
    assert float(contrastive_loss(a, a.roll(1, 0), 20.0)) == pytest.approx(20.0, abs=1e-3)


def test_both_directions_count() -> None:
    torch.manual_seed(0)
    a, b = (F.normalize(torch.randn(5, 3), dim=1) for _ in range(2))
    both = (matching_loss(a, b, 3.0) + matching_loss(b, a, 3.0)) / 2
    torch.testing.assert_close(contrastive_loss(a, b, 3.0), both)
    assert not torch.allclose(matching_loss(a, b, 3.0), matching_loss(b, a, 3.0))


def test_parts_of_a_batch_with_the_candidates_of_all_have_its_loss_on_average() -> None:
    torch.manual_seed(0)
    a, b = (F.normalize(torch.randn(6, 3), dim=1) for _ in range(2))
    parts = [contrastive_loss(a[k : k + 3], b[k : k + 3], 3.0, a, b, k) for k in (0, 3)]
    torch.testing.assert_close(sum(parts) / 2, contrastive_loss(a, b, 3.0))
