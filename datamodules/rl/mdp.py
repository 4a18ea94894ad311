"""Markov decision processes whose transition table is known: gymnasium's toy texts, and two of Silver's lectures.

FrozenLake, CliffWalking and Taxi have their own table, ``env.unwrapped.P``; so may a person's registered environment.
``StudentChain`` is the Markov reward process of Silver's lecture 2, ``SmallGridworld`` that of lecture 3 (Sutton and
Barto, example 4.1). Nothing is sampled here: a batch is an order in which all states are updated.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium
import torch
from torch import Tensor

from common.messages import UserError, did_you_mean
from datamodules.base import TensorDataModule

#: ``P[state][action]``: a list of (probability, next state, reward, whether the episode ends).
Table = Mapping[int, Mapping[int, list[tuple[float, int, float, bool]]]]
STUDENT = ("class 1", "class 2", "class 3", "pass", "pub", "facebook", "sleep")
OWN = ("StudentChain", "SmallGridworld")  # tables of this file, without an environment of gymnasium
TOY_TEXTS = ("FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "Taxi-v4", *OWN)


def student_chain() -> Table:
    """Silver's student: one action in each state, since there is nothing to decide."""
    after: dict[str, tuple[float, dict[str, float]]] = {  # the reward of leaving a state, and where to
        "class 1": (-2, {"class 2": 0.5, "facebook": 0.5}),
        "class 2": (-2, {"class 3": 0.8, "sleep": 0.2}),
        "class 3": (-2, {"pass": 0.6, "pub": 0.4}),
        "pass": (10, {"sleep": 1.0}),
        "pub": (1, {"class 1": 0.2, "class 2": 0.4, "class 3": 0.4}),
        "facebook": (-1, {"facebook": 0.9, "class 1": 0.1}),
        "sleep": (0, {"sleep": 1.0}),
    }
    number = {name: i for i, name in enumerate(STUDENT)}
    return {
        number[name]: {0: [(p, number[to], reward, to == "sleep") for to, p in ways.items()]}
        for name, (reward, ways) in after.items()
    }


def small_gridworld() -> Table:
    """4 x 4 places, two opposite corners end the episode, each move costs 1; left, down, right, up."""
    moves, ends = ((0, -1), (1, 0), (0, 1), (-1, 0)), (0, 15)

    def outcome(state: int, action: int) -> tuple[float, int, float, bool]:
        if state in ends:
            return (1.0, state, 0.0, True)
        row, column = (min(max(at + by, 0), 3) for at, by in zip(divmod(state, 4), moves[action], strict=True))
        return (1.0, 4 * row + column, -1.0, 4 * row + column in ends)

    return {state: {action: [outcome(state, action)] for action in range(4)} for state in range(16)}


def transition_table(env_id: str, options: Mapping[str, Any] | None = None) -> Table:
    """The transition table of an environment.

    Raises:
        UserError: The environment does not exist, fails, or does not have a table.
    """
    if env_id in OWN:
        return student_chain() if env_id == "StudentChain" else small_gridworld()
    table = getattr(made(env_id, options), "P", None)
    if table is None:
        raise UserError(f"data.env_id {env_id} has no transition table P: give one of {', '.join(TOY_TEXTS)}")
    return table


def made(env_id: str, options: Mapping[str, Any] | None) -> Any:
    """An environment of gymnasium without its wrappers.

    Raises:
        UserError: See ``making``.
    """
    with making(env_id, *TOY_TEXTS):
        return gymnasium.make(env_id, **dict(options or {})).unwrapped


@contextmanager
def making(env_id: str, *others: str) -> Iterator[None]:
    """Says in one line why an environment cannot be made.

    Args:
        env_id: The environment that is made inside.
        *others: Names that may be meant besides the registered ones.

    Raises:
        UserError: The environment does not exist, cannot be made with these options, or its own code fails.
    """
    try:
        yield
    except gymnasium.error.DependencyNotInstalled as error:
        raise UserError(f"data.env_id {env_id} needs a package: {first_line(error)}") from None
    except (gymnasium.error.Error, TypeError, ImportError) as error:
        known = env_id.rpartition(":")[2] in gymnasium.registry
        near = ": see data.env_options" if known else did_you_mean(env_id, [*gymnasium.registry, *others])
        raise UserError(f"data.env_id {env_id!r} cannot be made ({first_line(error)}){near}") from None
    except Exception as error:  # of the person's own code
        raise failed(env_id, "to be made", error) from error


def failed(env_id: str, what: str, error: Exception) -> UserError:
    """The one line for an exception in the code of an environment."""
    if isinstance(error, UserError):
        return error
    kind = type(error).__name__
    return UserError(
        f"{env_id} failed {what} ({kind}: {first_line(error)}): correct the environment; DIVE_DEBUG=1 shows the place"
    )


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def arrays(table: Table) -> tuple[Tensor, Tensor]:
    """P (S, A, S), the probability of going on in each state, and R (S, A), the expected reward; double precision.

    What ends an episode is not in P, so that nothing is added for the time after it: rows may sum to less than 1.
    """
    states, actions = len(table), len(table[0])
    going_on = torch.zeros(states, actions, states, dtype=torch.float64)
    rewards = torch.zeros(states, actions, dtype=torch.float64)
    for state, choices in table.items():
        for action, outcomes in choices.items():
            for probability, after, reward, ends in outcomes:
                rewards[state, action] += probability * float(reward)
                going_on[state, action, after] += 0.0 if ends else probability
    return going_on, rewards


def known_returns(table: Table, start: Tensor, steps: int) -> tuple[float, float]:
    """The expected return of the best policy and of random actions, in episodes that are cut after so many steps.

    By backward induction: the best policy may depend on the steps that are left.

    Args:
        table: The environment's.
        start: Probabilities of the first state (S,).
        steps: At least 1.
    """
    going_on, reward = arrays(table)
    best, random = torch.zeros_like(start), torch.zeros_like(start)
    for _ in range(steps):
        best = (reward + going_on @ best).amax(1)
        random = (reward + going_on @ random).mean(1)
    return float(start @ best), float(start @ random)


#: Rows and columns of the environments that are maps, and what their actions are.
CLOCKWISE = ("up", "right", "down", "left")
LAKE = ("left", "down", "right", "up")


def grid_of(env_id: str, states: int) -> tuple[int, int] | None:
    """Rows and columns where states are places of a map; None where they are not."""
    if env_id.startswith("CliffWalking"):
        return 4, 12
    side = round(states**0.5)
    return (side, side) if env_id.startswith(("FrozenLake", "SmallGridworld")) and side * side == states else None


class TabularMDP(TensorDataModule):
    """All states of a known Markov decision process. A training batch is (B, S), an order of the states per row.

    The splits for evaluation have each state once. Model and pictures read ``mdp``, ``grid`` and ``action_names``.

    Args:
        num_states, num_actions: Read from the environment where they are 0.
        env_id: An environment of gymnasium with a transition table, ``StudentChain`` or ``SmallGridworld``.
        env_options: Arguments of the environment, such as ``{is_slippery: false}``.
        sweeps: Rows of the training split: sweeps over the states in an epoch.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_states", "num_actions")

    def __init__(
        self,
        num_states: int = 0,
        num_actions: int = 0,
        env_id: str = "FrozenLake-v1",
        env_options: dict[str, Any] | None = None,
        sweeps: int = 50,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        if sweeps < 1:
            raise UserError(f"data.sweeps is {sweeps}: give a whole number of at least 1")
        table = transition_table(env_id, env_options)
        self.mdp = arrays(table)
        for name, given, found in zip(self.links, (num_states, num_actions), self.mdp[1].shape, strict=True):
            if given not in (0, found):
                raise UserError(f"data.{name} is {given}, but {env_id} has {found}")
        self.num_states, self.num_actions = self.mdp[1].shape
        self.eval_batch_size = loader.get("eval_batch_size") or self.num_states
        self.env_id, self.sweeps = env_id, sweeps
        self.grid = grid_of(env_id, self.num_states)
        self.action_names = list(CLOCKWISE if env_id.startswith("CliffWalking") else LAKE) if self.grid else None
        self.predict_names = list(STUDENT) if env_id == "StudentChain" else None

    @staticmethod
    def infer(num_states: int, num_actions: int, env_id: str, env_options: dict[str, Any] | None) -> dict[str, Any]:
        """``num_states`` and ``num_actions`` of the environment, whatever was given."""
        table = transition_table(env_id, env_options)
        return {"num_states": len(table), "num_actions": len(table[0])}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        states = torch.arange(self.num_states)
        splits: dict[str, tuple[Tensor, ...]] = dict.fromkeys(("val", "test", "predict"), (states,))
        return {"train": (states.repeat(self.sweeps, 1),)} | splits

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Without planning all values are zero; their error depends on the discount, so that no number is stated."""
        return {}
