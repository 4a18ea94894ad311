"""A replay buffer and off-policy training from it: n-step, prioritized, its content in the checkpoint.

Mnih et al. 2015 (replay); Schaul et al. 2016 (priorities); Hessel et al. 2018 (n steps). Departs from the papers: the
exponent of the importance weights is constant and does not rise to 1; the weights of a batch are divided by its
largest; the row that is drawn is found by a cumulative sum over the buffer and not in a tree, which is faster in Python
up to hundreds of thousands of rows; a row of alpha 0 has priority 1, so that uniform replay is the same code.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.rl.acting import ActingDataModule
from datamodules.rl.tabular_environments import Batches
from datamodules.rl.vector_environments import VectorEnvironments

#: observation, action, sum of n discounted rewards, observation after them, discount of its value, weight.
Transitions = tuple[Tensor, ...]


class ReplayBuffer:
    """The newest steps of N environments in a ring of C rows. A row's next observation is that of the next row.

    Args:
        capacity: C.
        count: N.
        features: Numbers in an observation.
        action: A sample action of the environments (N,) or (N, A).
    """

    def __init__(self, capacity: int, count: int, features: int, action: Tensor) -> None:
        self.observation = torch.zeros(capacity, count, features)
        self.action = torch.zeros(capacity, *action.shape, dtype=action.dtype)
        self.reward = torch.zeros(capacity, count)
        self.terminated, self.over = (torch.zeros(capacity, count, dtype=torch.bool) for _ in range(2))
        self.priority = torch.zeros(capacity, count, dtype=torch.float64)  # 0: cannot be drawn
        self.valid = torch.zeros(capacity, count, dtype=torch.bool)
        self.capacity, self.head, self.largest = capacity, 0, 1.0

    def add(self, observation: Tensor, action: Tensor, *outcome: Tensor, steps: int = 1) -> None:
        """A step's reward, terminated, over and valid, (N,) each, and the observation and action before it.

        The row that has ``steps`` rows after it, itself included, can be drawn from the next step on.
        """
        row = self.head % self.capacity
        self.observation[row], self.action[row] = observation, action
        self.reward[row], self.terminated[row], self.over[row], self.valid[row] = outcome
        self.priority[row] = 0
        if self.head >= steps:
            whole = (self.head - steps) % self.capacity
            self.priority[whole] = self.largest * self.valid[whole]
        self.head += 1

    def sample(self, size: int, beta: float) -> tuple[Tensor, Tensor]:
        """Rows (B,) by number, drawn by their priorities, and their importance weights, the largest 1."""
        until = self.priority.flatten().cumsum(0)
        index = torch.searchsorted(until, torch.rand(size, dtype=torch.float64) * until[-1], right=True)
        index = index.clamp(max=len(until) - 1)
        chance = self.priority.flatten()[index]
        return index, (chance / chance.min()).pow(-beta).float()

    def rows(self, index: Tensor, steps: int, gamma: float) -> Transitions:
        """Observation, action, n-step reward, what was reached, and the discount of its value; less where it ended."""
        row, env = index // self.priority.shape[1], index % self.priority.shape[1]
        total, discount = torch.zeros(len(index)), torch.ones(len(index))
        last, running = row, torch.ones(len(index), dtype=torch.bool)
        for k in range(steps):
            at = (row + k) % self.capacity
            total += running * discount * self.reward[at, env]
            discount = torch.where(running, discount * gamma, discount)
            last = torch.where(running, at, last)
            running = running & ~self.over[at, env]
        discount = discount * ~self.terminated[last, env]
        reached = self.observation[(last + 1) % self.capacity, env]
        return self.observation[row, env], self.action[row, env], total, reached, discount

    def update(self, index: Tensor, priority: Tensor) -> None:
        """New priorities of rows that were drawn, unless they cannot be drawn any more."""
        flat = self.priority.view(-1)
        flat[index] = torch.where(flat[index] > 0, priority.double(), 0.0)
        self.largest = max(self.largest, float(priority.max()))

    def cut(self, steps: int) -> None:
        """The newest rows do not lead on to the next one that is added: they cannot be drawn."""
        for k in range(1, min(steps, self.head, self.capacity) + 1):
            self.valid[(self.head - k) % self.capacity] = False

    def state_dict(self) -> dict[str, Any]:
        filled = min(self.head, self.capacity)
        tensors = {name: value[:filled].clone() for name, value in vars(self).items() if isinstance(value, Tensor)}
        return tensors | {"head": self.head, "largest": self.largest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the rows as they were; into a ring of another size the newest ones, the oldest of them first."""
        self.head, self.largest = state["head"], state["largest"]
        filled = len(state["reward"])
        another = filled > self.capacity or (self.head > filled and filled != self.capacity)
        for name, value in state.items():
            if isinstance(value, Tensor):
                rows = value.roll(-(self.head % filled), 0)[-self.capacity :] if another else value
                getattr(self, name)[: len(rows)] = rows
        if another:
            self.head = min(filled, self.capacity)


class Replay(ActingDataModule):
    """Off-policy training: before each batch the model acts ``steps_per_batch`` times in all environments.

    A batch is ``Transitions``. The discount is the model's ``gamma``. After a batch the model's ``errors`` (B,),
    absolute ones, become priorities.

    Args:
        capacity: Steps of all environments together that are kept.
        warmup: Steps of all environments together before the first batch.
        num_batches: Batches in an epoch.
        steps_per_batch: Steps of each environment between two batches.
        n_step: Rewards that are summed before a value is used.
        alpha: Exponent of the priorities; 0 is uniform.
        beta: Exponent of the importance weights.
        **environments: See ``ActingDataModule``.
    """

    def __init__(
        self,
        capacity: int = 50_000,
        warmup: int = 1000,
        num_batches: int = 1000,
        steps_per_batch: int = 1,
        n_step: int = 1,
        alpha: float = 0.0,
        beta: float = 0.4,
        **environments: Any,
    ) -> None:
        super().__init__(**environments)
        sizes = {"warmup": warmup, "num_batches": num_batches, "steps_per_batch": steps_per_batch, "n_step": n_step}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        for name, exponent in {"alpha": alpha, "beta": beta}.items():
            if not 0 <= exponent < float("inf"):
                raise UserError(f"data.{name} is {exponent}: give a number of at least 0")
        rows, first = capacity // self.num_envs, -(-warmup // self.num_envs)
        self.first = max(first, n_step + 1)  # steps of each environment before the first batch
        if rows < self.first + n_step:
            raise UserError(f"data.capacity is {capacity}: give more than data.warmup, {warmup}")
        self.rows_kept, self.num_batches, self.steps_per_batch = rows, num_batches, steps_per_batch
        self.n_step, self.alpha, self.beta = n_step, alpha, beta
        self.buffer: ReplayBuffer | None = None
        self.drawn = torch.zeros(0, dtype=torch.long)  # the rows of the last batch, whose errors are still to come

    @property
    def model(self) -> Any:
        assert self.trainer is not None
        return self.trainer.lightning_module

    def step(self, environments: VectorEnvironments) -> None:
        """Acts once and keeps what happened."""
        observation = environments.observation
        action = self.act(observation)
        if self.buffer is None:
            self.buffer = ReplayBuffer(self.rows_kept, self.num_envs, self.num_features, action)
        *outcome, returns = environments.step(action)
        self.buffer.add(observation, action, *outcome, steps=self.n_step)
        self.model.stepped(int(outcome[-1].sum()), returns[~returns.isnan()])

    def take_errors(self) -> None:
        """Gives the rows of the last batch their new priorities."""
        errors = getattr(self.model, "errors", None)
        if self.alpha and len(self.drawn) and self.buffer is not None and errors is not None:
            self.buffer.update(self.drawn, (errors.detach().cpu().double() + 1e-6) ** self.alpha)
        self.drawn = self.drawn[:0]

    def next_batch(self) -> Transitions:
        environments = self.ready()
        self.take_errors()
        for _ in range(self.steps_per_batch):
            self.step(environments)
        while self.buffer is None or self.buffer.head < self.first:
            self.step(environments)
        self.drawn, weight = self.buffer.sample(self.batch_size, self.beta)
        return (*self.buffer.rows(self.drawn, self.n_step, self.model.gamma), weight)

    def train_dataloader(self) -> Batches:
        return Batches(self.num_batches, self.next_batch)

    def saved(self) -> dict[str, Any]:
        self.take_errors()
        return {"buffer": self.buffer.state_dict()} if self.buffer is not None else {}

    def restore(self, saved: dict[str, Any], goes_on: bool) -> None:
        if state := saved.get("buffer"):
            self.buffer = ReplayBuffer(self.rows_kept, self.num_envs, self.num_features, state["action"][0])
            self.buffer.load_state_dict(state)
            if not goes_on:
                self.buffer.cut(self.n_step)
