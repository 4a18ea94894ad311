"""The benches of agents: all sides are measured, a watch ends at the return, the page shows who gave up."""

import pytest
import torch
from torch import Tensor

from scripts.evidence.benches import rl, rl_solved
from scripts.evidence.benches.page import solved


def balance(seen: Tensor) -> Tensor:
    """A policy that holds the pole up: the cart follows where the pole falls to."""
    return (seen[:, 2] + 0.5 * seen[:, 3] + 0.1 * seen[:, 1] + 0.02 * seen[:, 0] > 0).long()


def test_a_watch_ends_once_greedy_episodes_reach_the_return_and_gives_up_after_its_rollouts() -> None:
    good = rl_solved.Watch(most=9, every=2)
    assert not good.ended(balance) and good.ended(balance)
    assert good.reached and good.frames == 2 * rl.ENVS * rl.STEPS and good.seconds > 0
    bad = rl_solved.Watch(most=2, every=1)
    assert not bad.ended(lambda seen: torch.zeros(len(seen), dtype=torch.long))
    assert bad.ended(lambda seen: torch.zeros(len(seen), dtype=torch.long)) and not bad.reached


def test_the_page_shows_a_side_that_gave_up_with_a_dash() -> None:
    page = solved([{"side": "ours", "frames": [20480, None], "seconds": [2.0, None]}])
    assert "| ours | 20,480 frames, 2.0 s | - |" in page and "stable-baselines3" in rl.PART.text


@pytest.mark.slow
def test_all_sides_are_measured() -> None:
    rows = rl.measure(1, 1, lambda line: None, rollouts=1, batches=4, players=8)
    found = {(row["workload"], row["side"]) for row in rows}
    assert found >= {(agent, side) for agent in ("PPO", "DQN") for side in ("ours", "bare", "stable-baselines3")}
    assert {("Q-learning", "ours"), ("Q-learning", "the book's loop")} <= found
    assert all(row["rates"][0] > 0 for row in rows)
    rows = rl_solved.measure(1, lambda line: None, most=1)
    assert [row["frames"] for row in rows] == [[None], [None]]
