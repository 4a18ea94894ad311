"""Many copies of an environment with a transition table, stepped together by array operations; the model acts in them.

This is the interaction of Sutton and Barto's control algorithms: at each step all environments move at once, each with
a player of its own. A step of FrozenLake for a hundred of them takes as long as for one.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from common.messages import UserError
from datamodules.base import global_seed
from datamodules.rl.mdp import CLOCKWISE, LAKE, OWN, Table, grid_of, known_returns, made, transition_table

#: state, action, reward, next state, next action, terminated, return of an episode that ended or NaN: each (T, R).
Transitions = tuple[Tensor, ...]


class TabularEnvironments:
    """R environments. A step that ends an episode is followed by a reset; the state before the reset is returned too.

    Args:
        table: The transition table.
        start: Probability of each first state (S,).
        count: R.
        max_steps: Steps after which an episode is truncated.
        seed: Of the transitions.

    Raises:
        UserError: A probability or a reward is not a finite number.
    """

    def __init__(self, table: Table, start: Tensor, count: int, max_steps: int, seed: int) -> None:
        states, actions = len(table), len(table[0])
        width = max(len(outcomes) for choices in table.values() for outcomes in choices.values())
        parts = torch.zeros(4, states, actions, width, dtype=torch.float64)
        for s, choices in table.items():
            for a, outcomes in choices.items():
                parts[:, s, a, : len(outcomes)] = torch.tensor([list(map(float, o)) for o in outcomes]).double().T
        if not bool(parts.isfinite().all()):
            raise UserError("the environment's table P has a probability or a reward that is not a finite number")
        self.until, self.outcomes, self.start = parts[0].cumsum(-1), parts[1:], start.double()
        self.count, self.max_steps = count, max_steps
        self.generator = torch.Generator().manual_seed(seed)
        self.state = self.first_states(count)
        self.steps, self.earned = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.float64)

    def first_states(self, count: int) -> Tensor:
        return torch.multinomial(self.start, count, replacement=True, generator=self.generator)

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Moves. Returns reward, the state reached, terminated, and returns of episodes that ended, else NaN: (R,)."""
        drawn = torch.rand(self.count, 1, generator=self.generator, dtype=torch.float64)
        choice = (drawn >= self.until[self.state, action]).sum(1).clamp(max=self.until.shape[-1] - 1)
        reached, reward, ends = self.outcomes[:, self.state, action, choice]
        reached, terminated = reached.long(), ends > 0
        self.steps, self.earned = self.steps + 1, self.earned + reward
        over = terminated | (self.steps >= self.max_steps)
        returns = torch.where(over, self.earned, float("nan"))
        self.state = torch.where(over, self.first_states(self.count), reached)
        self.steps, self.earned = self.steps.masked_fill(over, 0), self.earned.masked_fill(over, 0.0)
        return reward, reached, terminated, returns

    def state_dict(self) -> dict[str, Tensor]:
        values = {"state": self.state, "steps": self.steps, "earned": self.earned}
        return values | {"random": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.state, self.steps, self.earned = state["state"], state["steps"], state["earned"]
        self.generator.set_state(state["random"].cpu())


class Batches:
    """Batches that are made one at a time when they are asked for.

    Args:
        count: How many.
        make: Makes the next one.
    """

    def __init__(self, count: int, make: Callable[[], Transitions]) -> None:
        self.count, self.make = count, make

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Transitions]:
        for _ in range(self.count):
            yield self.make()


def mixed_seed(*numbers: int) -> int:
    """A seed from several numbers, far from those of other numbers, since environment i of many has the seed + i."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def evaluation_seed(split: int) -> int:
    """The seed of a split's environments, validation (1), test (2) or prediction (3), the same in all processes."""
    return mixed_seed(global_seed(), split)


def own_rows(batch: Transitions, trainer: Any) -> Transitions:
    """The rows of a batch, which all processes have alike, that this process predicts: they get them in turn."""
    rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
    return tuple(part[rank::world] for part in batch)


class ToyText(LightningDataModule):
    """Owns the environments and asks ``lightning_module.act(states, greedy)`` for the actions (R,) of states (R,).

    A training batch is ``Transitions``. An evaluation has one batch: return and length (R,) of an episode of each
    player without exploration; a prediction has this process's rows of it. Environments, pending actions and random
    states of every process are in the checkpoint.

    Args:
        num_states, num_actions: Read from the environment where they are 0.
        env_id: An environment of gymnasium with a transition table.
        env_options: Arguments of the environment.
        num_runs: Environments R, each with a player of its own.
        max_steps: Steps after which an episode is cut.
        num_steps: Steps of each environment in an epoch.
        batch_size: Steps between two updates.
        eval_batch_size: Not used: an evaluation has one batch, of all players.
    """

    links = ("num_states", "num_actions", "num_runs")

    def __init__(
        self,
        num_states: int = 0,
        num_actions: int = 0,
        env_id: str = "CliffWalking-v1",
        env_options: dict[str, Any] | None = None,
        num_runs: int = 50,
        max_steps: int = 200,
        num_steps: int = 1000,
        batch_size: int = 1,
        eval_batch_size: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"num_runs": num_runs, "max_steps": max_steps, "num_steps": num_steps, "batch_size": batch_size}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        self.env_id, self.env_options = env_id, env_options
        self.table = transition_table(env_id, env_options)
        self.num_states, self.num_actions = len(self.table), len(self.table[0])
        self.start = first_state_probabilities(env_id, env_options, self.num_states)
        self.num_runs, self.max_steps, self.num_steps, self.batch_size = num_runs, max_steps, num_steps, batch_size
        self.grid = grid_of(env_id, self.num_states)
        self.action_names = list(CLOCKWISE if env_id.startswith("CliffWalking") else LAKE) if self.grid else None
        self.environments: TabularEnvironments | None = None
        self.action: Tensor | None = None  # that each player has chosen and not yet taken
        self.restored: list[dict[str, Any]] | None = None

    @staticmethod
    def infer(num_states: int, num_actions: int, env_id: str, env_options: dict[str, Any] | None) -> dict[str, Any]:
        """``num_states`` and ``num_actions`` of the environment, whatever was given."""
        table = transition_table(env_id, env_options)
        return {"num_states": len(table), "num_actions": len(table[0])}

    def act(self, states: Tensor, greedy: bool = False) -> Tensor:
        assert self.trainer is not None
        with torch.no_grad():
            model = self.trainer.lightning_module
            return model.act(states.to(model.device), greedy).cpu()  # type: ignore[operator]

    def make(self, seed: int) -> TabularEnvironments:
        return TabularEnvironments(self.table, self.start, self.num_runs, self.max_steps, seed)

    def ready(self) -> TabularEnvironments:
        """The environments for training: new ones, or those of the checkpoint."""
        if self.environments is None:
            rank = self.trainer.global_rank if self.trainer else 0
            self.environments = self.make(global_seed() + 1000 * rank)
            if self.restored and rank < len(self.restored) and self.restored[rank]:
                self.environments.load_state_dict(self.restored[rank]["environments"])
                self.action = self.restored[rank]["action"]
            self.restored = None
        return self.environments

    def collect(self) -> Transitions:
        """``batch_size`` steps of all environments. The next action is chosen in the state that was reached."""
        environments, rows = self.ready(), []
        for _ in range(self.batch_size):
            state = environments.state
            action = self.act(state) if self.action is None else self.action
            reward, reached, terminated, returns = environments.step(action)
            after = self.act(reached)
            over = ~returns.isnan()
            self.action = torch.where(over, self.act(environments.state), after) if bool(over.any()) else after
            rows.append((state, action, reward, reached, after, terminated, returns))
        return tuple(torch.stack(column) for column in zip(*rows, strict=True))

    def episodes(self, split: int = 1) -> Transitions:
        """The return and length (R,) of an episode of each player without exploration; a split has its own episodes."""
        environments = self.make(evaluation_seed(split))
        returns, lengths = torch.full((self.num_runs,), float("nan")).double(), torch.zeros(self.num_runs).long()
        while bool(returns.isnan().any()):
            lengths += returns.isnan()
            ended = environments.step(self.act(environments.state, greedy=True))[3]
            returns = torch.where(returns.isnan(), ended, returns)
        return returns, lengths

    def train_dataloader(self) -> Batches:
        return Batches(max(1, self.num_steps // self.batch_size), self.collect)

    def val_dataloader(self) -> Batches:
        return Batches(1, self.episodes)

    def test_dataloader(self) -> Batches:
        return Batches(1, partial(self.episodes, 2))

    def predict_dataloader(self) -> Batches:
        return Batches(1, lambda: own_rows(self.episodes(3), self.trainer))

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The best possible policy, from the table, and random actions."""
        best, random = known_returns(self.table, self.start, self.max_steps)
        said = f"the best policy of {self.max_steps} steps, by backward induction"
        return {
            "chance": {"what": "random actions", "metrics": {"test/return": random, "test/loss": -random}},
            "baseline": {"what": said, "metrics": {"test/return": best, "test/loss": -best}},
        }

    def state_dict(self) -> dict[str, Any]:
        mine: dict[str, Any] = {}
        if self.environments is not None:
            mine = {"environments": self.environments.state_dict(), "action": self.action}
        ranks: list[Any] = [mine]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            ranks = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(ranks, mine)
        return {"ranks": ranks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.restored, self.environments, self.action = state_dict["ranks"], None, None


def first_state_probabilities(env_id: str, options: dict[str, Any] | None, states: int) -> Tensor:
    """The environment's own ``initial_state_distrib``; uniform where it has none.

    Raises:
        UserError: It does not have a probability for each state.
    """
    found = None if env_id in OWN else getattr(made(env_id, options), "initial_state_distrib", None)
    if found is None:
        return torch.ones(states).double() / states
    start = torch.as_tensor(found, dtype=torch.float64)
    if start.shape != (states,) or not bool((start >= 0).all()) or not 0 < float(start.sum()) < float("inf"):
        wanted = f"must have a probability for each of the {states} states: correct the environment"
        raise UserError(f"{env_id}: initial_state_distrib {wanted}")
    return start
