"""What every agent that learns in environments shares: what it logs, and how its evaluation is counted.

An evaluation's batch is return and length (N,) of greedy episodes (``datamodules/rl/acting.py``). ``train/return`` is
earned while exploring, and ``train/frames`` counts the transitions that it took. With several processes both are those
of the first one, whose buffers the others take over; its transitions are multiplied by the number of processes.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.tasks.processes import rank_and_world
from lit_models.tasks.task import Task


class Agent(Task):
    """A task whose data asks ``act(observation, greedy)``; a leaf supplies it, and ``training_step``.

    Args:
        **task: See ``Task``.
    """

    #: The action spaces that the agent takes.
    takes: tuple[str, ...] = ("Discrete",)
    #: Whether a rollout must be one whole episode of each environment.
    needs_whole_episodes = False
    online: Tensor
    episodes: Tensor
    frames: Tensor

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.register_buffer("online", torch.tensor(0.0, dtype=torch.float64))
        self.register_buffer("episodes", torch.tensor(0))
        self.register_buffer("frames", torch.tensor(0))

    def configure_model(self) -> None:
        if self.device_mesh is not None:
            raise UserError("a process acts in episodes of its own length and needs whole weights: -c trainer/ddp")

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        """Actions (N,), or (N, A) from -1 to 1, for observations (N, F)."""
        raise NotImplementedError

    def stepped(self, frames: int, returns: Tensor) -> None:
        """Counts transitions, and the returns of the episodes that ended: keeps their mean, which moves after 20."""
        self.frames += frames * rank_and_world(self)[1]
        for value in returns.to(self.online):
            self.online += (value - self.online) * max(0.05, 1 / (int(self.episodes) + 1))
            self.episodes += 1

    def forget_episodes(self) -> None:
        """After a resume new episodes begin: a leaf that keeps something of the old ones drops it."""

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        several = rank_and_world(self)[1] > 1
        self.log("train/return", self.online, sync_dist=several)
        self.log("train/frames", self.frames.double(), sync_dist=several)

    def evaluate(self, stage: str, returns: Tensor) -> None:
        """Logs the mean return of greedy episodes."""
        mean, several = returns.mean(), rank_and_world(self)[1] > 1
        self.log_dict({f"{stage}/loss": -mean, f"{stage}/return": mean}, batch_size=len(returns), sync_dist=several)

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("val", batch[0])

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("test", batch[0])

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """The return and the length of a greedy episode of each environment."""
        return {"return": batch[0], "length": batch[1]}
