"""Many copies of an environment of gymnasium, stepped together by gymnasium's own vector environments, and saved.

After the step that ends an episode comes one that resets (gymnasium's ``NEXT_STEP``): its action is ignored, and it is
no transition (``valid`` is false). So the observation that a step returns is always the one that was reached, before
any reset, and the values of next states are those of the next row. CartPole has an own vector environment, twice as
fast as what one would write; other environments are copies in a loop.

Towers et al. 2024, "Gymnasium". The state of classic control and toy text can be saved as plain values.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces, wrappers
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from common.messages import UserError
from datamodules.rl.mdp import failed, making

#: What the state of an environment of classic control or toy text consists of.
STATE = ("state", "s", "lastaction", "last_u", "steps_beyond_terminated", "steps", "prev_done")
KNOWN = ("gymnasium.envs.classic_control.", "gymnasium.envs.toy_text.")
#: Wrappers that ``gymnasium.make`` adds; of these the time limit alone has a state, which is saved.
WRAPPERS = (wrappers.TimeLimit, wrappers.OrderEnforcing, wrappers.PassiveEnvChecker)


def make_environments(env_id: str, options: Mapping[str, Any] | None, count: int, max_steps: int | None) -> VectorEnv:
    """``count`` copies of an environment, with gymnasium's own time limit or another one.

    Raises:
        UserError: See ``making``.
    """
    wanted = dict(options or {}) | ({"max_episode_steps": max_steps} if max_steps else {})
    with making(env_id):
        env = gymnasium.make_vec(env_id, count, **wanted)
        if env.metadata.get("autoreset_mode") != AutoresetMode.NEXT_STEP:
            env = gymnasium.make_vec(env_id, count, vectorization_mode="sync", **wanted)
    return env


@dataclass
class Sizes:
    """What a model must know of an environment: features of an observation, actions, and whether they are continuous.

    Args:
        features: Numbers in an observation, one per state of a discrete one.
        actions: How many there are, or numbers in a continuous one.
        continuous: Whether an action is a vector and not a number.
    """

    features: int
    actions: int
    continuous: bool


def sizes_of(env_id: str, observation: spaces.Space, action: spaces.Space) -> Sizes:
    """The sizes of an environment.

    Raises:
        UserError: No algorithm here takes its observations or its actions.
    """
    features, continuous = 0, isinstance(action, spaces.Box)
    if isinstance(observation, spaces.Discrete):
        features = int(observation.n)
    elif isinstance(observation, spaces.Box):
        features = math.prod(observation.shape)
    if not features:
        raise UserError(f"data.env_id {env_id} has observations {observation}: Box and Discrete are possible")
    if isinstance(action, spaces.Discrete):
        return Sizes(features, int(action.n), continuous)
    if isinstance(action, spaces.Box) and np.isfinite(action.low).all() and np.isfinite(action.high).all():
        return Sizes(features, math.prod(action.shape), continuous)
    raise UserError(f"data.env_id {env_id} has actions {action}: Discrete and a Box with finite limits are possible")


class VectorEnvironments:
    """N environments that move together; a continuous action is given from -1 to 1, whatever the limits are.

    Args:
        env_id: Name of a registered environment.
        options: Arguments of the environment.
        count: N.
        max_steps: Steps after which an episode is truncated; None for the environment's own limit.
        seed: Of the first reset.
    """

    def __init__(
        self, env_id: str, options: Mapping[str, Any] | None, count: int, max_steps: int | None, seed: int
    ) -> None:
        self.env_id, self.count = env_id, count
        self.env = make_environments(env_id, options, count, max_steps)
        self.sizes = sizes_of(env_id, self.env.single_observation_space, self.env.single_action_space)
        self.reset(seed)

    def reset(self, seed: int | None = None) -> None:
        """Begins new episodes; without a seed the environments' own generators draw their first states.

        Raises:
            UserError: An observation is not finite, or the environment's own code fails.
        """
        try:
            first = self.env.reset(seed=seed)[0]
        except Exception as error:
            raise failed(self.env_id, "in reset()", error) from error
        self.observation = self.features(first)
        self.over = torch.zeros(self.count, dtype=torch.bool)  # whether the last step ended the episode
        self.earned = torch.zeros(self.count, dtype=torch.float64)
        self.length = torch.zeros(self.count, dtype=torch.long)

    def features(self, observation: Any) -> Tensor:
        """Observations (N, ...) of the environment as features (N, F)."""
        space = self.env.single_observation_space
        if isinstance(space, spaces.Discrete):
            numbers = torch.as_tensor(np.asarray(observation)) - int(space.start)
            return torch.nn.functional.one_hot(numbers.long(), self.sizes.features).float()
        features = torch.from_numpy(np.array(observation, dtype=np.float32)).reshape(self.count, -1)
        if not bool(features.isfinite().all()):
            raise UserError(f"{self.env_id} gave an observation that is not finite: correct the environment")
        return features

    def actions(self, action: Tensor) -> np.ndarray:
        """Actions (N,), or (N, A) from -1 to 1 and clipped there, as the environment takes them."""
        space: Any = self.env.single_action_space
        values = action.numpy()
        if isinstance(space, spaces.Discrete):
            return values + int(space.start)
        unit = (np.clip(values, -1, 1).reshape(self.count, *space.shape) + 1) / 2
        return (space.low + unit * (space.high - space.low)).astype(space.dtype)

    def step(self, action: Tensor) -> tuple[Tensor, ...]:
        """Moves. Returns reward, terminated, over, valid, and returns of episodes that ended, else NaN: (N,) each.

        ``over`` is termination or truncation. ``observation`` is then what was reached.

        Raises:
            UserError: A reward or an observation is not finite, or the environment's own code fails.
        """
        valid = ~self.over
        try:
            observation, reward, terminated, truncated, _ = self.env.step(self.actions(action))
        except Exception as error:
            raise failed(self.env_id, "in step()", error) from error
        rewards = torch.from_numpy(np.asarray(reward, dtype=np.float64))
        if not bool(rewards.isfinite().all()):
            raise UserError(
                f"{self.env_id} gave a reward that is not a finite number ({reward}): correct the environment"
            )
        self.observation = self.features(observation)
        ends = torch.from_numpy(np.array(terminated))
        self.over = ends | torch.from_numpy(np.array(truncated))
        self.earned, self.length = (self.earned + rewards) * valid, (self.length + 1) * valid
        returns = torch.where(self.over, self.earned, float("nan"))
        return rewards.float(), ends, self.over, valid, returns

    # -- saving ---------------------------------------------------------------------------------------------------

    def members(self) -> list[Any]:
        """The environments whose state is saved: one that is a vector by itself, or each copy."""
        return [env.unwrapped for env in self.env.envs] if hasattr(self.env, "envs") else [self.env.unwrapped]

    def can_be_saved(self) -> bool:
        """Whether a saved state continues to the bit: that of classic control and toy text, without other wrappers."""
        known = all(type(member).__module__.startswith(KNOWN) for member in self.members())
        wrapped = self.env is not self.env.unwrapped or not all(map(only_usual_wrappers, getattr(self.env, "envs", [])))
        return known and not wrapped

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors; without those of the environments where they cannot be saved."""
        found: dict[str, Any] = {name: getattr(self, name) for name in ("observation", "over", "earned", "length")}
        if not self.can_be_saved():
            return found
        saved = []
        for member in self.members():
            values = {name: plain(getattr(member, name)) for name in STATE if hasattr(member, name)}
            saved.append(values | {"random": json.dumps(member.np_random.bit_generator.state)})
        return found | {"members": saved, "elapsed": [elapsed(env) for env in getattr(self.env, "envs", [])]}

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Continues where the state was saved. Returns False, and begins new episodes, where that is not possible."""
        if "members" not in state or len(state["over"]) != self.count or not self.can_be_saved():
            return False
        for name in ("observation", "over", "earned", "length"):
            setattr(self, name, state[name])
        for member, values in zip(self.members(), state["members"], strict=True):
            for name in set(values) - {"random"}:
                value = values[name]
                setattr(member, name, value.numpy().copy() if isinstance(value, Tensor) else value)
            member.np_random.bit_generator.state = json.loads(values["random"])
        for env, steps in zip(getattr(self.env, "envs", []), state["elapsed"], strict=True):
            elapsed(env, steps)
        if hasattr(self.env, "_autoreset_envs"):
            self.env._autoreset_envs = self.over.numpy().copy()
        return True


def plain(value: Any) -> Any:
    """An attribute of an environment as a tensor or a number, which ``torch.load(weights_only=True)`` reads."""
    if value is None or isinstance(value, bool | int | float | np.generic):
        return value.item() if isinstance(value, np.generic) else value
    return torch.from_numpy(np.array(value))


def only_usual_wrappers(env: Any) -> bool:
    """Whether an environment is wrapped by ``WRAPPERS`` only, with at most one time limit."""
    found = []
    while env is not env.unwrapped:
        found.append(type(env))
        env = env.env
    return set(found) <= set(WRAPPERS) and found.count(wrappers.TimeLimit) <= 1


def elapsed(env: Any, steps: Any = None) -> int:
    """The steps that gymnasium's time limit has counted; sets them where they are given."""
    while env is not env.unwrapped:
        if isinstance(env, wrappers.TimeLimit):
            env._elapsed_steps = env._elapsed_steps if steps is None else steps
            return int(env._elapsed_steps or 0)
        env = env.env
    return 0
