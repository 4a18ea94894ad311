"""Bayesian optimization: better than random search, and a decision that depends on its arguments only."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.gp.bayesian_optimization import Acquisition, minimize, suggest
from lit_models.gp.objectives import BRANIN_MINIMUM, HARTMANN_MINIMUM, branin, hartmann6


def regrets(acquisition: Acquisition, repeats: int, evaluations: int = 25, noise: float = 0.0) -> Tensor:
    """By how much the best place evaluated is above the minimum of Branin, of each repeat."""
    runs = [minimize(branin, 2, evaluations, acquisition, seed=seed, noise=noise)[0] for seed in range(repeats)]
    return torch.stack([branin(x).min() - BRANIN_MINIMUM for x in runs])


@pytest.mark.slow
@pytest.mark.parametrize("acquisition", ["ei", "ucb", "noisy_ei"])
def test_each_acquisition_beats_random_search_on_branin(acquisition: Acquisition) -> None:
    found, chance = regrets(acquisition, 5), regrets("random", 30)
    assert float(found.median()) < float(chance.median()) / 4


def test_expected_improvement_finds_the_minimum_of_branin() -> None:
    assert float(regrets("ei", 1)) < 0.1 < float(regrets("random", 30).median())


@pytest.mark.slow
def test_expected_improvement_beats_random_search_on_hartmann() -> None:
    def regret(acquisition: Acquisition, seed: int) -> float:
        return float(minimize(hartmann6, 6, 45, acquisition, initial=10, seed=seed)[1].min()) - HARTMANN_MINIMUM

    ours = torch.tensor([regret("ei", seed) for seed in range(3)])
    chance = torch.tensor([regret("random", seed) for seed in range(30)])
    assert float(ours.median()) < 0.5 * float(chance.median())


def test_the_same_evaluations_give_the_same_suggestion() -> None:
    x = torch.rand(6, 2, generator=torch.Generator().manual_seed(0)).double()
    for acquisition in ("ei", "ucb", "noisy_ei", "random"):
        one, two = (suggest(x, branin(x), acquisition, seed=3, candidates=200) for _ in range(2))  # type: ignore[arg-type]
        assert torch.equal(one, two) and one.shape == (2,) and bool(((one >= 0) & (one <= 1)).all())


def test_a_failed_evaluation_is_ignored_and_few_evaluations_are_random() -> None:
    x = torch.rand(5, 2, generator=torch.Generator().manual_seed(0)).double()
    y = branin(x)
    lost = torch.cat([y, torch.tensor([float("nan")]).double()])
    more = torch.cat([x, torch.full((1, 2), 0.5).double()])
    assert torch.equal(suggest(more, lost, candidates=200), suggest(x, y, candidates=200))
    assert suggest(x[:1], y[:1]).shape == (2,) and suggest(x[:0], y[:0]).shape == (2,)


def test_places_outside_of_the_cube_are_refused() -> None:
    with pytest.raises(UserError, match="unit cube"):
        suggest(torch.tensor([[2.0, 0.0]]), torch.tensor([1.0]))
