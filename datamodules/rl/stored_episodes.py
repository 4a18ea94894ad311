"""Stored episodes, to learn from without acting; and environments in which the model is then asked for returns.

Offline the episodes are CartPole's, of a controller that knows what to do and takes a random action with a probability
that each episode draws: their returns lie between a few steps and the limit. A person's own are a ``.npz`` file with
the arrays of D4RL (Fu et al. 2020): observations (T, ...), actions (T,) or (T, A) between the environment's limits,
rewards (T,), terminals (T,), and timeouts (T,) where time limits cut episodes.
"""

from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.rl.tabular_environments import Batches, evaluation_seed, own_rows
from datamodules.rl.vector_environments import VectorEnvironments

BALANCE = torch.tensor(
    [0.02, 0.08, 1.0, 0.35]
)  # of position, speed, angle and its speed: pushes to the side it falls to
Episode = tuple[Tensor, Tensor, Tensor]  # observations (L, F), actions (L,) or (L, A), rewards (L,)


class StoredEpisodes(TensorDataModule):
    """A batch is (returns to go, observations, actions, steps, actions to predict) of windows of K steps, as
    ``LitDecisionTransformer`` says. Windows begin anywhere in an episode.

    An evaluation has one batch: return asked for, return got, length (N,), of ``eval_episodes`` episodes for each
    return of ``asked``.

    Args:
        num_features, num_actions, continuous: Read from the environment.
        window_steps: K; linked to the model's.
        max_steps: Steps after which an episode is cut; linked to the model's.
        path: A ``.npz`` file of stored episodes; without one they are made.
        env_id: The environment in which the model acts; that of the stored episodes.
        num_episodes: Episodes that are made.
        num_windows: Windows of an epoch.
        asked: Returns that an evaluation asks for.
        eval_episodes: Episodes for each.
        data_seed: Of the episodes and windows; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: Sizes below 1, no return to ask for, or a file that does not fit.
    """

    links = ("num_features", "num_actions", "continuous", "window_steps", "max_steps")
    items = "windows"

    def __init__(
        self,
        num_features: int = 0,
        num_actions: int = 0,
        continuous: bool = False,
        window_steps: int = 20,
        max_steps: int = 200,
        path: str = "",
        env_id: str = "CartPole-v1",
        num_episodes: int = 400,
        num_windows: int = 20_000,
        asked: tuple[float, ...] = (20.0, 60.0, 120.0, 200.0),
        eval_episodes: int = 25,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        sizes = {"window_steps": window_steps, "max_steps": max_steps, "num_episodes": num_episodes}
        for name, value in (sizes | {"num_windows": num_windows, "eval_episodes": eval_episodes}).items():
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        if not asked:
            raise UserError("data.asked is empty: give at least one return")
        if not path and env_id != "CartPole-v1":
            raise UserError(
                f"data.env_id is {env_id}, of which there are no stored episodes: give --data.path FILE.npz"
            )
        self.env_id, self.path, self.window_steps, self.max_steps = env_id, path, window_steps, max_steps
        self.num_episodes, self.num_windows, self.eval_episodes = num_episodes, num_windows, eval_episodes
        self.asked, self.data_seed = tuple(float(value) for value in asked), data_seed
        environments = self.make(1, 0)
        found, env = environments.sizes, environments.env
        self.num_features, self.num_actions, self.continuous = found.features, found.actions, found.continuous
        self.spaces: tuple[Any, Any] = env.single_observation_space, env.single_action_space

    @staticmethod
    def infer(num_features: int, num_actions: int, continuous: bool, env_id: str) -> dict[str, Any]:
        """``num_features``, ``num_actions`` and ``continuous`` of the environment, whatever was given."""
        sizes = VectorEnvironments(env_id, None, 1, None, 0).sizes
        return {"num_features": sizes.features, "num_actions": sizes.actions, "continuous": sizes.continuous}

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.path

    def make(self, count: int, seed: int) -> VectorEnvironments:
        return VectorEnvironments(self.env_id, None, count, self.max_steps, seed)

    # -- stored episodes ------------------------------------------------------------------------------------------

    def episodes(self) -> list[Episode]:
        """Those of the file, or made: the first episode of each of many environments."""
        if self.path:
            return self.read()
        environments = self.make(self.num_episodes, self.data_seed)
        generator = torch.Generator().manual_seed(self.data_seed)
        careless = torch.rand(self.num_episodes, generator=generator)
        rows: list[tuple[Tensor, ...]] = []
        alive = torch.ones(self.num_episodes, dtype=torch.bool)
        while bool(alive.any()):
            observation = environments.observation
            action = (observation @ BALANCE > 0).long()
            random = torch.randint(2, action.shape, generator=generator)
            action = torch.where(torch.rand(action.shape, generator=generator) < careless, random, action)
            reward, _, over, _, _ = environments.step(action)
            rows.append((observation, action, reward, alive))
            alive = alive & ~over
        observations, actions, rewards, valid = (torch.stack(column, 1) for column in zip(*rows, strict=True))
        return [(observations[k, v], actions[k, v], rewards[k, v]) for k, v in enumerate(valid)]

    def read(self) -> list[Episode]:
        """The episodes of the file; steps after the last end are an episode that was cut.

        Raises:
            UserError: No such file, arrays that are missing or of unequal lengths, or of another environment.
        """
        try:
            with np.load(self.path) as file:
                stored = {name: file[name] for name in file.files}
        except FileNotFoundError:
            raise UserError(f"data.path {self.path}: no such file") from None
        except (OSError, ValueError, EOFError, BadZipFile, AttributeError, TypeError) as error:  # the last two: a .npy
            raise UserError(f"data.path {self.path}: not a .npz file that can be read ({error})") from None
        wanted = ("observations", "actions", "rewards", "terminals")
        if lacks := [name for name in wanted if name not in stored]:
            raise UserError(f"data.path {self.path}: lacks {', '.join(lacks)}; it has {', '.join(stored) or 'nothing'}")
        for name in wanted:
            if stored[name].dtype.kind not in "bif" or not stored[name].size or not stored[name].ndim:
                kind = f"{name} of shape {stored[name].shape} and type {stored[name].dtype}"
                raise UserError(f"data.path {self.path}: {kind}: give numbers, a row for each step")
        lengths = {name: len(stored[name]) for name in wanted}
        if len(set(lengths.values())) > 1:
            raise UserError(f"data.path {self.path}: arrays of unequal lengths: {lengths}")
        observations = self.features(torch.from_numpy(stored["observations"]).reshape(len(stored["rewards"]), -1))
        actions = torch.from_numpy(stored["actions"])
        actions = actions.float().reshape(len(actions), -1) if self.continuous else actions.long().flatten()
        rewards = torch.from_numpy(stored["rewards"]).float().flatten()
        self.check(observations, actions, rewards)
        actions = self.unit(actions) if self.continuous else actions
        ends = stored["terminals"].astype(bool) | stored.get("timeouts", np.zeros(len(rewards))).astype(bool)
        cuts = [*(np.flatnonzero(ends) + 1).tolist(), len(rewards)]
        parts = [slice(a, b) for a, b in zip([0, *cuts[:-1]], cuts, strict=True) if b > a]
        if longest := [part.stop - part.start for part in parts if part.stop - part.start > self.max_steps]:
            raise UserError(f"data.path {self.path}: an episode has {max(longest)} steps: give --data.max_steps")
        return [(observations[part], actions[part], rewards[part]) for part in parts]

    def features(self, observations: Tensor) -> Tensor:
        """Stored observations (T, ...) as the environment's features (T, F): numbers (T, 1) of states are one-hot.

        Raises:
            UserError: A number that is not a state's.
        """
        space = self.spaces[0]
        if not isinstance(space, spaces.Discrete) or observations.shape[1] != 1:
            return observations.float()
        states = observations[:, 0].double() - int(space.start)
        if not bool(((states >= 0) & (states < int(space.n)) & (states == states.round())).all()):
            wrong = f"an observation is not in {self.env_id}'s {space}"
            raise UserError(f"data.path {self.path}: {wrong}: give --data.env_id")
        return torch.nn.functional.one_hot(states.long(), int(space.n)).float()

    def unit(self, actions: Tensor) -> Tensor:
        """Continuous actions (T, A) between the environment's limits as what the model gives, from -1 to 1.

        Raises:
            UserError: An action that is outside.
        """
        space = self.spaces[1]
        low, high = (torch.from_numpy(limit).float().flatten() for limit in (space.low, space.high))
        if not bool(((actions >= low) & (actions <= high)).all()):
            raise UserError(f"data.path {self.path}: an action is outside of {self.env_id}'s {space}: clip it there")
        return 2 * (actions - low) / (high - low).clamp(min=1e-12) - 1

    def check(self, observations: Tensor, actions: Tensor, rewards: Tensor) -> None:
        """Refuses (``UserError``) what the environment does not have."""
        if not bool(observations.isfinite().all()) or not bool(rewards.isfinite().all()):
            raise UserError(f"data.path {self.path}: an observation or a reward is not finite")
        if observations.shape[1] != self.num_features:
            numbers = f"observations of {observations.shape[1]} numbers, {self.env_id} has {self.num_features}"
            raise UserError(f"data.path {self.path}: {numbers}: give --data.env_id")
        if not self.continuous and int(actions.min()) < 0:
            raise UserError(f"data.path {self.path}: an action is {int(actions.min())}: they are numbered from 0")
        size = actions.shape[1] if self.continuous else int(actions.max()) + 1
        if size > self.num_actions or (self.continuous and size != self.num_actions):
            raise UserError(f"data.path {self.path}: actions of size {size}, {self.env_id} has {self.num_actions}")

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage != "fit":
            return {name: (torch.tensor(self.asked),) for name in ("val", "test", "predict")}
        episodes = self.episodes()
        generator = torch.Generator().manual_seed(self.data_seed)
        steps = torch.cat([torch.full((len(rewards),), k) for k, (*_, rewards) in enumerate(episodes)])
        first = torch.cat([torch.arange(len(rewards)) for *_, rewards in episodes])
        drawn = torch.randint(len(steps), (self.num_windows,), generator=generator)
        rows = [self.window(episodes[int(steps[i])], int(first[i])) for i in drawn]
        train = tuple(torch.stack(column) for column in zip(*rows, strict=True))
        best = max(float(rewards.sum()) for *_, rewards in episodes)
        mean = sum(float(rewards.sum()) for *_, rewards in episodes) / len(episodes)
        self.facts = [f"{len(episodes)} episodes, returns up to {best:.0f}, on average {mean:.0f}"]
        return {"train": train, "val": (torch.tensor(self.asked),)}

    def window(self, episode: Episode, first: int) -> tuple[Tensor, ...]:
        """The K steps of an episode that begin with ``first``; padded at their end."""
        observations, actions, rewards = (part[first : first + self.window_steps] for part in episode)
        missing = self.window_steps - len(rewards)
        to_go = episode[2][first:].flip(0).cumsum(0).flip(0)[: self.window_steps]
        numbers = actions if self.continuous else torch.nn.functional.one_hot(actions, self.num_actions).float()
        target = actions if self.continuous else actions.clone()
        step = torch.arange(first, first + self.window_steps).clamp(max=self.max_steps - 1)

        def padded(part: Tensor, value: float = 0.0) -> Tensor:
            return torch.cat([part, part.new_full((missing, *part.shape[1:]), value)])

        filled = padded(target, float("nan") if self.continuous else -1)
        return padded(to_go), padded(observations), padded(numbers), step, filled

    # -- evaluation -----------------------------------------------------------------------------------------------

    def acted(self, split: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return asked for, return got and length (N,) of episodes that the model acts; a split has its own states."""
        assert self.trainer is not None
        model: Any = self.trainer.lightning_module
        asked = torch.tensor(self.asked).repeat_interleave(self.eval_episodes)
        environments = self.make(len(asked), evaluation_seed(split))
        got, length = torch.full((len(asked),), float("nan")), torch.zeros(len(asked), dtype=torch.long)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(evaluation_seed(split))
            model.begin(asked)
            for _ in range(self.max_steps):
                action = model.act(environments.observation.to(model.device)).cpu()
                reward, _, _, _, returns = environments.step(action)
                model.earned(reward)
                first = got.isnan() & ~returns.isnan()
                got, length = torch.where(first, returns.float(), got), torch.where(first, environments.length, length)
                if not bool(got.isnan().any()):
                    break
        return asked, got, length

    def val_dataloader(self) -> Batches:  # type: ignore[override]
        return Batches(1, lambda: self.acted(1))

    def test_dataloader(self) -> Batches:  # type: ignore[override]
        return Batches(1, lambda: self.acted(2))

    def predict_dataloader(self) -> Batches:  # type: ignore[override]
        return Batches(1, lambda: own_rows(self.acted(3), self.trainer))

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Every episode earns what the stored ones earn on average, whatever is asked for."""
        returns = torch.stack([rewards.sum() for *_, rewards in self.episodes()])
        asked = torch.tensor(self.asked)
        error = (asked[:, None] - returns).abs().mean() / asked.max()
        metrics = {"test/error": float(error), "test/loss": float(error), "test/return": float(returns.mean())}
        return {"chance": {"what": "a stored episode at random, whatever is asked for", "metrics": metrics}}
