"""Online steps: in their order, each with the action that comes next."""

import torch

from datamodules.rl.steps import Steps


def test_the_next_action_of_a_step_is_the_action_of_the_following_one() -> None:
    torch.manual_seed(0)
    counted = []

    class Player:
        def stepped(self, frames: int, returns: torch.Tensor) -> None:
            counted.append(frames)

    data = Steps(env_id="CartPole-v1", num_envs=3, batch_size=20)
    data.act = lambda observation, greedy=False: torch.randint(2, (len(observation),))  # type: ignore[method-assign,assignment]
    data.trainer = type("T", (), {"lightning_module": Player(), "global_rank": 0})()  # type: ignore[assignment]
    observation, action, _, reached, following, _, over, valid = data.collect()
    assert torch.equal(action[1:], following[:-1]) and torch.equal(observation[1:], reached[:-1])
    assert torch.equal(valid[1:], ~over[:-1]) and bool(over.any()) and sum(counted) == int(valid.sum())
    assert torch.equal(data.collect()[1][0], following[-1])
