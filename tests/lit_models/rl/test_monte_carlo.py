"""Monte Carlo control equals lists of returns; importance sampling is without bias, or with a small one."""

from itertools import product

import pytest
import torch

from datamodules.rl.tabular_environments import ToyText, evaluation_seed
from lit_models.rl.control import LitControl
from lit_models.rl.monte_carlo import EpisodeSums, importance_estimates


def test_the_values_are_the_means_of_the_returns_that_lists_hold() -> None:
    torch.manual_seed(0)
    sums, q, lists, episode = EpisodeSums(1, 3, 2), torch.zeros(1, 3, 2).double(), {}, []
    for t in range(60):
        state, action, over = int(torch.randint(3, ())), int(torch.randint(2, ())), t % 7 == 6
        reward = float(torch.randn(()))
        q = sums.step(
            q, torch.tensor([state]), torch.tensor([action]), torch.tensor([reward]), torch.tensor([over]), 0.9
        )
        episode.append((state, action, reward))
        if over:
            after = 0.0
            for s, a, r in reversed(episode):
                after = r + 0.9 * after
                lists.setdefault((s, a), []).append(after)
            episode = []
            for (s, a), found in lists.items():
                assert float(q[0, s, a]) == pytest.approx(sum(found) / len(found))
    assert float(sums.episode) == 1 + 60 // 7


def test_most_players_of_glie_monte_carlo_find_a_shortest_way_of_the_small_gridworld() -> None:
    torch.manual_seed(0)
    data = ToyText(env_id="SmallGridworld", num_runs=20, max_steps=100)
    player = LitControl(num_runs=20, num_states=16, method="monte_carlo")
    data.act = player.act  # type: ignore[method-assign]
    with torch.no_grad():
        for _ in range(2000):
            for row in zip(*data.collect(), strict=True):
                player.net.values.data = player.updated(player.net.values.data, row)
        returns, first = data.episodes()[0], data.make(evaluation_seed(1)).state
    shortest = -torch.tensor([min(r + c, 6 - r - c) for r in range(4) for c in range(4)]).double()
    assert float((returns == shortest[first]).double().mean()) >= 0.75  # means of all returns follow slowly
    assert float((shortest[first] - returns).mean()) < 1
    assert bool((player.sums.episode > 100).all())


def test_a_time_limit_leaves_the_value_of_the_state_that_was_reached() -> None:
    player = LitControl(num_runs=1, num_states=3, method="monte_carlo", gamma=0.5)
    player.net.values.data[:, 0, 2, 3] = 8.0
    row = (torch.tensor([0]), torch.tensor([1]), torch.tensor([-1.0]), torch.tensor([2]), torch.tensor([3]))
    cut = player.updated(player.net.values.data, (*row, torch.tensor([False]), torch.tensor([-1.0])))
    assert float(cut[0, 0, 0, 1]) == 3.0


def test_ordinary_importance_sampling_has_no_bias_and_weighted_varies_less() -> None:
    """All samples of two episodes of two steps, of which the behavior takes each with the same probability."""
    actions = torch.tensor(list(product((0, 1), repeat=2)))  # (4, 2)
    returns = torch.tensor([10.0, 11, 12, 14]).double()
    target = torch.tensor([0.2, 0.8]).double()[actions]
    truth = float((target.prod(1) * returns).sum())
    pairs = [torch.tensor(pair) for pair in product(range(4), repeat=2)]
    found = [importance_estimates(returns[p], target[p], torch.full((2, 2), 0.5).double()) for p in pairs]
    ordinary, weighted = (torch.stack(part) for part in zip(*found, strict=True))
    assert float(ordinary.mean()) == pytest.approx(truth)
    assert abs(float(weighted.mean()) - truth) > 0.1
    assert float(weighted.var()) < float(ordinary.var()) / 10
