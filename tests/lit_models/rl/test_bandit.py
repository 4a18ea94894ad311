"""Bandits: who explores, and what it costs."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.rl.bandits import Bandits
from lit_models.rl.bandit import LitBandit, epsilon_greedy, play, thompson_scores, ucb_scores


def regret(method: str, pulls: int = 1600, **arguments: Any) -> torch.Tensor:
    """Mean regret after each of so many pulls of 100 bandits with two arms that pay 0.6 and 0.9."""
    torch.manual_seed(0)
    means = torch.tensor([0.6, 0.9]).repeat(100, 1)
    rewards = (torch.rand(pulls, 100, 2) < means).float()
    return play(rewards, means, method, bernoulli=True, **arguments).mean(1)


@pytest.mark.parametrize(("method", "logarithmic"), [("ucb", True), ("thompson", True), ("epsilon_greedy", False)])
def test_regret_of_ucb_and_thompson_grows_like_the_logarithm(method: str, logarithmic: bool) -> None:
    """Each doubling of the time adds about the same; a constant epsilon adds twice as much each time."""
    curve = regret(method)
    first, second = float(curve[799] - curve[399]), float(curve[1599] - curve[799])
    assert (second < 1.6 * first) if logarithmic else (second > 1.6 * first)
    assert curve[-1] < 0.15 * 1600  # a random player


def test_optimism_makes_a_greedy_player_explore_and_decay_makes_it_stop() -> None:
    fixed, decaying = regret("epsilon_greedy", 600, epsilon=0.3), regret("epsilon_greedy", 600, epsilon=0.3, decay=0.02)
    assert decaying[-1] < fixed[-1]
    greedy, optimistic = (
        regret("epsilon_greedy", 600, epsilon=0.0),
        regret("epsilon_greedy", 600, epsilon=0.0, initial=5.0),
    )
    assert optimistic[-1] <= greedy[-1] + 1e-9


def test_an_arm_that_was_never_pulled_comes_first() -> None:
    pulls = torch.tensor([[5.0, 0.0, 2.0]])
    assert int(ucb_scores(torch.tensor([[9.0, -9.0, 0.0]]), pulls).argmax()) == 1


def test_estimates_are_running_means_and_many_pulls_at_once_are_one_mean() -> None:
    torch.manual_seed(0)
    rewards = torch.randn(12, 3, 1)
    player = LitBandit(num_runs=3, num_arms=1)
    for rows in rewards.split([1, 4, 1, 6]):
        (gradient,) = torch.autograd.grad(player.pull(rows), player.net.estimates)
        player.net.estimates.data -= gradient
    torch.testing.assert_close(player.net.estimates.data, rewards.double().mean(0), atol=1e-12, rtol=0)


def test_thompson_samples_have_the_posteriors_mean_and_width() -> None:
    torch.manual_seed(0)
    q, n = torch.full((20_000, 1), 0.75, dtype=torch.float64), torch.full((20_000, 1), 8.0, dtype=torch.float64)
    beta, normal = thompson_scores(q, n, True), thompson_scores(q, n, False)
    assert float(beta.mean()) == pytest.approx(7 / 10, abs=0.01)  # six successes of eight: Beta(7, 3)
    assert float(normal.mean()) == pytest.approx(6 / 9, abs=0.01) and float(normal.std()) == pytest.approx(
        1 / 3, abs=0.01
    )


def test_epsilon_is_the_rate_of_random_arms() -> None:
    torch.manual_seed(0)
    arms = epsilon_greedy(torch.tensor([[0.0, 1.0]]).repeat(10_000, 1), 0.4)
    assert float(arms.float().mean()) == pytest.approx(0.8, abs=0.02)


def test_the_gradient_bandit_prefers_the_better_arm() -> None:
    assert regret("gradient", step_size=0.4)[-1] < 0.5 * 0.15 * 1600


@pytest.mark.parametrize("arguments", [{"method": "greedy"}, {"epsilon": 2.0}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitBandit(**arguments)


def test_the_data_does_not_depend_on_what_was_loaded_before() -> None:
    one, two = Bandits(num_runs=3, num_pulls=5), Bandits(num_runs=3, num_pulls=5)
    two.load("test")
    assert torch.equal(one.load("fit")["train"][0], two.load("fit")["train"][0])
