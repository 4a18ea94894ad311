"""Environments of gymnasium that move together: their spaces, their time limits, and what is saved of them."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.envs.classic_control import MountainCarEnv
from gymnasium.wrappers import FrameStackObservation, TimeLimit

from common.messages import UserError
from datamodules.rl.vector_environments import VectorEnvironments, make_environments


class Own(gymnasium.Env):
    """A person's environment: it counts to three, by an odd set of actions, with rewards as given."""

    def __init__(self, reward: float = 1.0, observation: str = "box") -> None:
        box = spaces.Box(-10, 10, (2, 2))
        self.observation_space = spaces.Dict(a=box) if observation == "dict" else box
        self.action_space, self.reward, self.count = spaces.Discrete(3, start=5), reward, 0

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        super().reset(seed=seed)
        self.count = 0
        return np.zeros((2, 2), dtype=np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        assert action in (5, 6, 7)
        self.count += 1
        if self.reward < 0:
            raise KeyError("mass")
        return (
            np.full((2, 2), self.count if self.reward else np.nan, dtype=np.float32),
            self.reward,
            self.count == 3,
            False,
            {},
        )


if "Own-v0" not in gymnasium.registry:
    gymnasium.register("Own-v0", Own)  # type: ignore[arg-type]
    gymnasium.register("Stacked-v0", lambda: FrameStackObservation(MountainCarEnv(), 2))
    gymnasium.register("Limited-v0", lambda: TimeLimit(MountainCarEnv(), 9), max_episode_steps=7)


def make(env_id: str, count: int = 2, max_steps: int | None = None, **options: object) -> VectorEnvironments:
    return VectorEnvironments(env_id, options, count, max_steps, 0)


def test_a_time_limit_truncates_and_the_step_after_it_is_no_transition() -> None:
    for env_id in ("CartPole-v1", "Acrobot-v1"):
        environments = make(env_id, max_steps=3)
        for k in range(3):
            reached = environments.step(torch.tensor([0, 1]))
            terminated, over, valid, returns = reached[1:]
            assert not bool(terminated.any()) and bool(over.all()) == (k == 2) and bool(valid.all())
        assert returns.abs().tolist() == [3.0, 3.0] and environments.length.tolist() == [3, 3]
        reward, _, over, valid, returns = environments.step(torch.tensor([0, 1]))
        assert not bool((valid | over).any()) and reward.tolist() == [0, 0] and bool(returns.isnan().all())
        assert environments.length.tolist() == [0, 0]


def test_they_move_as_one_environment_does() -> None:
    one, ours = gymnasium.make("MountainCar-v0"), make("MountainCar-v0")
    observation, _ = one.reset(seed=1)  # the second environment's seed
    for action in (0, 2, 1, 2, 2):
        np.testing.assert_array_equal(ours.observation[1].numpy(), observation)
        observation, reward, *_ = one.step(action)
        assert float(ours.step(torch.tensor([1, action]))[0][1]) == float(reward)


def test_a_continuous_action_is_from_minus_one_to_one_and_clipped() -> None:
    pendulum = make("Pendulum-v1")
    assert (pendulum.sizes.features, pendulum.sizes.actions, pendulum.sizes.continuous) == (3, 1, True)
    np.testing.assert_allclose(pendulum.actions(torch.tensor([[0.25], [-7.0]])), [[0.5], [-2.0]])


def test_a_discrete_observation_is_one_of_zeros_and_a_one() -> None:
    lake = make("FrozenLake-v1")
    assert lake.sizes.features == 16 and lake.observation.tolist() == torch.eye(16)[[0, 0]].tolist()


def test_a_persons_environment_is_flattened_and_its_first_action_is_zero_here() -> None:
    own = make("Own-v0")
    assert (own.sizes.features, own.sizes.actions) == (4, 3)
    own.step(torch.tensor([0, 2]))
    assert own.observation.tolist() == [[1.0] * 4] * 2
    assert not own.can_be_saved() and not make("Own-v0").load_state_dict(own.state_dict())


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1", "Pendulum-v1", "MountainCar-v0", "Taxi-v4"])
def test_what_was_saved_continues_to_the_bit(env_id: str) -> None:
    """Through a file that is read with ``weights_only``, over ends of episodes."""
    import io

    one, two = make(env_id, max_steps=7), make(env_id, max_steps=7)
    action = torch.zeros(2, 1) if one.sizes.continuous else torch.tensor([1, 0])
    for _ in range(5):
        one.step(action)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    assert two.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(20):
        for a, b in zip(one.step(action), two.step(action), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(one.observation, two.observation, rtol=0, atol=0)


@pytest.mark.parametrize("env_id", ["Stacked-v0", "Limited-v0"])
def test_wrappers_with_a_state_that_is_not_saved_begin_new_episodes(env_id: str) -> None:
    wrapped = make(env_id)
    assert not wrapped.can_be_saved() and not make(env_id).load_state_dict(wrapped.state_dict())
    assert not make("Limited-v0").load_state_dict(make("MountainCar-v0").state_dict())  # saved before it was wrapped


def test_what_cannot_be_made_or_taken_is_one_line() -> None:
    with pytest.raises(UserError, match=r"'CartPole-v7' cannot be made.*did you mean"):
        make_environments("CartPole-v7", None, 1, None)
    with pytest.raises(UserError, match=r"'CartPole-v1' cannot be made .*'speed'\): see data.env_options"):
        make("CartPole-v1", speed=3)
    with pytest.raises(UserError, match=r"Own-v0 has observations Dict.*Box and Discrete"):
        make("Own-v0", observation="dict")
    with pytest.raises(UserError, match="reward that is not a finite number"):
        make("Own-v0", reward=float("nan")).step(torch.tensor([0, 0]))


def test_a_failure_in_a_persons_environment_is_one_line() -> None:
    with pytest.raises(UserError, match=r"Own-v0 failed in step\(\) \(KeyError: 'mass'\)") as caught:
        make("Own-v0", reward=-1.0).step(torch.tensor([0, 0]))
    assert isinstance(caught.value.__cause__, KeyError)  # DIVE_DEBUG=1 shows it
    with pytest.raises(UserError, match=r"Own-v0 failed in reset\(\)"):
        VectorEnvironments("Own-v0", None, 1, None, seed=-1)
    with pytest.raises(UserError, match="observation that is not finite"):
        make("Own-v0", reward=0.0).step(torch.tensor([0, 0]))
