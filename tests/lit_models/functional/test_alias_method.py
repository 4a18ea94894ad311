"""The alias method: its tables hold the distribution exactly, and what is drawn follows it."""

import pytest
import torch
from torch import Tensor

from lit_models.functional.alias_method import alias_draw, alias_tables


def probabilities(own: Tensor, other: Tensor) -> Tensor:
    """Of each outcome, from the tables."""
    own = own.double()
    return own.index_add(0, other, 1 - own) / len(own)


@pytest.mark.parametrize("size", [1, 2, 7, 5000])
def test_the_tables_hold_the_distribution(size: int) -> None:
    weights = torch.rand(size, generator=torch.Generator().manual_seed(size), dtype=torch.float64) ** 4 + 1e-6
    own, other = alias_tables(weights)
    assert torch.allclose(probabilities(own, other), weights / weights.sum(), rtol=1e-4, atol=1e-8)
    assert float(own.min()) >= 0 and float(own.max()) <= 1


def test_outcomes_without_weight_are_never_drawn() -> None:
    for places in ([0], [1, 3], [0, 1, 2, 4, 5, 6]):
        weights = torch.tensor([0.1, 0.7, 0.3, 0.2, 0.9, 1.1, 0.05])
        weights[places] = 0
        found = probabilities(*alias_tables(weights))
        assert found[places].tolist() == [0.0] * len(places)
        assert torch.allclose(found, (weights / weights.sum()).double(), atol=1e-7)


def test_draws_have_the_frequencies_of_the_weights() -> None:
    weights = torch.tensor([1.0, 0.0, 5.0, 2.0])
    torch.manual_seed(0)
    drawn = alias_draw(*alias_tables(weights), 400, 1000)
    assert drawn.shape == (400, 1000) and drawn.dtype == torch.int64
    share = torch.bincount(drawn.flatten(), minlength=4) / drawn.numel()
    assert torch.allclose(share, weights / weights.sum(), atol=0.003)  # four standard errors
