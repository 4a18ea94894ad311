"""The base of the datamodules whose environments a model acts in: who owns them, evaluation, and what is saved.

A model has ``act(observation, greedy)``: actions (N,), or (N, A) from -1 to 1, for observations (N, F). It says in
``takes`` which action spaces it can take. An evaluation has one batch: return and length (N,) of a greedy episode of
each of ``eval_episodes`` environments, which are new each time and begin in the same states; a prediction has this
process's rows of it.
"""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from common.messages import UserError, note
from datamodules.base import global_seed
from datamodules.rl.tabular_environments import Batches, evaluation_seed, mixed_seed, own_rows
from datamodules.rl.vector_environments import VectorEnvironments

LONGEST = 100_000  # steps of an episode: an environment without a time limit would have no end


class ActingDataModule(LightningDataModule):
    """Owns environments and asks ``self.trainer.lightning_module.act(observation)``.

    Args:
        num_features, num_actions, continuous: Read from the environment.
        env_id: A registered environment of gymnasium: ``module:Name-v0`` imports a person's own module.
        env_options: Arguments of the environment.
        num_envs: Environments N that train.
        max_steps: Steps after which an episode is truncated; none given: the environment's own limit.
        eval_episodes: Greedy episodes of an evaluation.
        batch_size: Rows in a training batch.
        eval_batch_size: Not used: an evaluation has one batch.
    """

    links = ("num_features", "num_actions", "continuous", "num_envs")

    def __init__(
        self,
        num_features: int = 0,
        num_actions: int = 0,
        continuous: bool = False,
        env_id: str = "CartPole-v1",
        env_options: dict[str, Any] | None = None,
        num_envs: int = 8,
        max_steps: int | None = None,
        eval_episodes: int = 20,
        batch_size: int = 64,
        eval_batch_size: int = 0,
    ) -> None:
        super().__init__()
        wanted = {"num_envs": num_envs, "max_steps": max_steps, "eval_episodes": eval_episodes}
        for name, value in (wanted | {"batch_size": batch_size}).items():
            if value is not None and value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        self.env_id, self.env_options, self.max_steps = env_id, env_options, max_steps
        self.num_envs, self.eval_episodes, self.batch_size = num_envs, eval_episodes, batch_size
        sizes = self.make(1, 0).sizes
        self.num_features, self.num_actions, self.continuous = sizes.features, sizes.actions, sizes.continuous
        self.environments: VectorEnvironments | None = None
        self.restored: list[dict[str, Any]] | None = None

    @staticmethod
    def infer(
        num_features: int, num_actions: int, continuous: bool, env_id: str, env_options: dict[str, Any] | None
    ) -> dict[str, Any]:
        """``num_features``, ``num_actions`` and ``continuous`` of the environment, whatever was given."""
        sizes = VectorEnvironments(env_id, env_options, 1, None, 0).sizes
        return {"num_features": sizes.features, "num_actions": sizes.actions, "continuous": sizes.continuous}

    def make(self, count: int, seed: int) -> VectorEnvironments:
        return VectorEnvironments(self.env_id, self.env_options, count, self.max_steps, seed)

    def setup(self, stage: str) -> None:
        """Refuses a model that cannot take the environment's actions."""
        model = self.trainer.lightning_module if self.trainer else None
        takes = getattr(model, "takes", ("Discrete", "Box"))
        space = self.make(1, 0).env.single_action_space
        if type(space).__name__ not in takes:
            name = type(model).__name__
            raise UserError(f"{name} takes {' or '.join(takes)} actions, but data.env_id {self.env_id} has {space}")

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        assert self.trainer is not None
        with torch.no_grad():
            model = self.trainer.lightning_module
            action = model.act(observation.to(model.device, model.dtype), greedy).cpu()  # type: ignore[operator,arg-type]
            return action.float() if action.is_floating_point() else action

    @property
    def rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    def ready(self) -> VectorEnvironments:
        """The environments for training: new ones, or those of the checkpoint."""
        if self.environments is None:
            self.environments = self.make(self.num_envs, self.first_seed())
            mine = self.restored[self.rank] if self.restored and self.rank < len(self.restored) else {}
            self.restored = None
            if mine:
                goes_on = self.environments.load_state_dict(mine["environments"])
                if not goes_on:
                    note(f"the state of {self.env_id} cannot be restored: new episodes begin")
                if mine.get("num_envs", self.num_envs) == self.num_envs:
                    self.restore(mine, goes_on)
                else:
                    note(f"the run had {mine['num_envs']} environments, data.num_envs is {self.num_envs}: begun anew")
        return self.environments

    def first_seed(self) -> int:
        """The seed of the environments for training; after a resume another one, whose episodes were not seen yet."""
        frames = int(getattr(self.trainer.lightning_module, "frames", 0)) if self.restored and self.trainer else 0
        return mixed_seed(global_seed(), self.rank, frames) if frames else global_seed() + 1000 * self.rank

    def restore(self, saved: dict[str, Any], goes_on: bool) -> None:
        """Takes back what ``saved`` returned, for a subclass that has more to save than environments.

        Args:
            saved: From the checkpoint, of as many environments.
            goes_on: Whether the environments are where they were; else new episodes have begun.
        """

    def saved(self) -> dict[str, Any]:
        """What a subclass saves besides the environments."""
        return {}

    def episodes(self, split: int = 1) -> tuple[Tensor, Tensor]:
        """The return and length (N,) of a greedy episode of each of new environments; a split has its own states."""
        environments = self.make(self.eval_episodes, evaluation_seed(split))
        returns, lengths = (torch.full((self.eval_episodes,), float("nan")).double() for _ in range(2))
        for _ in range(LONGEST):
            ended = environments.step(self.act(environments.observation, greedy=True))[-1]
            first = returns.isnan() & ~ended.isnan()
            returns, lengths = torch.where(first, ended, returns), torch.where(first, environments.length, lengths)
            if not bool(returns.isnan().any()):
                return returns, lengths
        raise self.endless()

    def endless(self) -> UserError:
        return UserError(f"an episode of {self.env_id} has no end: give --data.max_steps")

    def val_dataloader(self) -> Batches:
        return Batches(1, self.episodes)

    def test_dataloader(self) -> Batches:
        return Batches(1, partial(self.episodes, 2))

    def predict_dataloader(self) -> Batches:
        return Batches(1, lambda: own_rows(self.episodes(3), self.trainer))

    def state_dict(self) -> dict[str, Any]:
        mine: dict[str, Any] = {}
        if self.environments is not None:
            mine = {"environments": self.environments.state_dict(), "num_envs": self.num_envs} | self.saved()
        ranks: list[Any] = [mine]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            ranks = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(ranks, mine)
        return {"ranks": ranks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.restored, self.environments = state_dict["ranks"], None
