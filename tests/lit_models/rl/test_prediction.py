"""Prediction: forward and backward view, first visits, and the A-B example."""

import pytest
import torch

from common.messages import UserError
from datamodules.rl.random_walk import RandomWalk
from lit_models.rl.prediction import LitPrediction, backward_view, first_visits, rms_of_ten, targets


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
def test_the_forward_view_is_the_backward_view(lam: float) -> None:
    torch.manual_seed(0)
    states, rewards = RandomWalk(num_train=20).load("fit")["train"]
    values = torch.randn(19).double()
    for s, r in zip(states, rewards, strict=True):
        model = LitPrediction(lam=lam, gamma=0.9)
        model.net.values.data = values.clone()
        model.loss(s[None], r[None]).backward()
        assert model.net.values.grad is not None
        torch.testing.assert_close(-model.net.values.grad, backward_view(values, s, r, 0.9, lam), atol=1e-10, rtol=0)


@pytest.mark.parametrize(("method", "value_of_a"), [("monte_carlo", 0.0), ("td_lambda", 0.75)])
def test_batch_monte_carlo_and_td_differ_on_the_a_b_example(method: str, value_of_a: float) -> None:
    """Sutton and Barto, example 6.4: A, 0, B, 0 once; B, 1 six times; B, 0 once. V(B) is 3/4 by both."""
    states = torch.tensor([[0, 1]] + 7 * [[1, -1]])
    rewards = torch.tensor([[0.0, 0]] + 6 * [[1.0, 0]] + [[0.0, 0]], dtype=torch.float64)
    model = LitPrediction(num_states=2, method=method, lam=0.0)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(500):
        optimizer.zero_grad()
        model.loss(states, rewards).backward()
        optimizer.step()
    torch.testing.assert_close(model.net().detach(), torch.tensor([value_of_a, 0.75]).double(), atol=1e-6, rtol=0)


def test_a_first_visit_is_the_first_in_its_episode() -> None:
    assert first_visits(torch.tensor([[3, 4, 3, 5, -1, -1]])).tolist() == [[True, True, False, True, False, False]]


def test_five_states_have_values_of_sixths_and_all_methods_find_them() -> None:
    data = RandomWalk(num_states=5, left_reward=0.0, num_train=3000)
    torch.testing.assert_close(data.true_values, torch.arange(1, 6).double() / 6)
    states, rewards = data.load("fit")["train"]
    for method in ("td_lambda", "monte_carlo", "first_visit", "n_step"):
        model = LitPrediction(num_states=5, method=method)  # type: ignore[arg-type]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        for _ in range(40):
            optimizer.zero_grad()
            model.loss(states, rewards).backward()
            optimizer.step()
        torch.testing.assert_close(model.net().detach(), data.true_values, atol=0.03, rtol=0)


def test_intermediate_n_and_lambda_beat_both_ends_on_nineteen_states() -> None:
    data = RandomWalk(num_train=10)
    episodes, rates = data.load("fit")["train"], (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)

    def best(method: str, value: float) -> float:
        return min(rms_of_ten(episodes, data.true_values, method, rate, value) for rate in rates)

    assert best("n_step", 4) < min(best("n_step", 1), best("n_step", 512)) - 0.02
    assert best("td_lambda", 0.8) < min(best("td_lambda", 0.0), best("td_lambda", 1.0)) - 0.02


def test_targets_of_monte_carlo_are_the_returns() -> None:
    goal = targets(torch.ones(3).double(), torch.tensor([[0, 1, 2]]), torch.tensor([[1.0, 2, 4]]), "monte_carlo", 0.5)
    assert goal.tolist() == [[3.0, 4.0, 4.0]]


def test_wrong_arguments_are_refused() -> None:
    for arguments, says in (({"method": "td"}, "model.method"), ({"lam": 2.0}, "model.lam"), ({"n": 0}, "model.n")):
        with pytest.raises(UserError, match=says):
            LitPrediction(**arguments)
