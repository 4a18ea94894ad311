"""Returns: their limits, and ends of episodes."""

import pytest
import torch

from lit_models.rl.returns import gae, lambda_returns, n_step_returns

R, V = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[10.0], [20.0], [30.0]])
ONE = torch.ones(3, 1)


def test_lambda_1_is_the_discounted_sum_and_lambda_0_one_step() -> None:
    full = lambda_returns(R, V, ONE, ONE, 0.5, 1.0)[:, 0]
    assert full.tolist() == [1 + 0.5 * 2 + 0.25 * 4 + 0.125 * 30, 2 + 0.5 * 4 + 0.25 * 30, 4 + 0.5 * 30]
    assert lambda_returns(R, V, ONE, ONE, 0.5, 0.0)[:, 0].tolist() == [6.0, 12.0, 19.0]


@pytest.mark.parametrize("lam", [0.0, 0.7, 1.0])
def test_truncation_is_not_termination(lam: float) -> None:
    cut = torch.tensor([[1.0], [0.0], [1.0]])
    truncated = lambda_returns(R, V, ONE, cut, 0.5, lam)
    terminated = lambda_returns(R, V, cut, cut, 0.5, lam)
    assert truncated[1].item() == 2 + 0.5 * 20 and terminated[1].item() == 2.0
    for going_on in (ONE, cut):  # nothing of the next episode
        changed = R.clone()
        changed[2] = 99.0
        before = lambda_returns(R, V, going_on, cut, 0.5, lam)[:2]
        assert torch.equal(before, lambda_returns(changed, V, going_on, cut, 0.5, lam)[:2])


def test_advantages_are_lambda_returns_less_the_values() -> None:
    torch.manual_seed(0)
    r, v, after = torch.randn(3, 9, 4).double()
    going_on = (torch.rand(9, 4) > 0.2).double()
    same = going_on * (torch.rand(9, 4) > 0.2)
    expected = lambda_returns(r, after, going_on, same, 0.9, 0.8) - v
    # where the next value is the value of the next row, as in a rollout
    after[:-1] = torch.where(same[:-1] > 0, v[1:], after[:-1])
    expected = lambda_returns(r, after, going_on, same, 0.9, 0.8) - v
    torch.testing.assert_close(gae(r, v, after, going_on, same, 0.9, 0.8), expected)


def test_n_steps_reach_from_one_step_to_the_whole_episode() -> None:
    values = torch.tensor([[10.0], [20.0], [0.0]])
    length = torch.tensor([3])
    assert n_step_returns(R, values, length, 0.5, 1)[:, 0].tolist() == [6.0, 12.0, 4.0]
    assert n_step_returns(R, values, length, 0.5, 2)[:, 0].tolist() == [2.0 + 0.25 * 20, 4.0, 4.0]
    assert n_step_returns(R, values, length, 0.5, 9)[:, 0].tolist() == [3.0, 4.0, 4.0]
