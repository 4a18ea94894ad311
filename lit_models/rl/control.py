"""Control without a model: GLIE Monte Carlo, SARSA(lambda), expected SARSA, Q-learning, double Q; a table per player.

Watkins 1989; Rummery and Niranjan 1994; van Hasselt 2010; Sutton and Barto, chapters 5, 6 and 12. Silver's lecture 5,
D2L 17.3. Departs from the book: what is after the end of an episode has no value by a mask and not by a row of the
table that happens to stay zero; equal actions are chosen at random and not the first; epsilon and alpha are the
textbook's and not 0.9. The next action is chosen before the update, in Q-learning too.

An update is a step of gradient descent of rate 1 on half the squared distance from the new table (``planning.py``).

    dive fit rl/control                                 Q-learning walks along the cliff: return -13
    dive fit rl/control --model.method sarsa            SARSA keeps away from it, since it explores
    dive fit rl/control --model.planning_steps 10       Dyna-Q needs a tenth of the real steps

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal, get_args

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn

from common.messages import UserError
from lit_models.rl.dyna import LearnedModels
from lit_models.rl.monte_carlo import EpisodeSums
from lit_models.tasks.processes import rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

Method = Literal["q_learning", "sarsa", "expected_sarsa", "double_q", "monte_carlo"]


class ActionTables(nn.Module):
    """A table of action values for each of R players, or two. States (B,) -> (B, A), means over the players.

    Args:
        num_runs: Players R.
        num_states: S.
        num_actions: A.
    """

    def __init__(self, num_runs: int = 50, num_states: int = 48, num_actions: int = 4) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(2, num_runs, num_states, num_actions, dtype=torch.float64))

    def forward(self, states: Tensor) -> Tensor:
        return self.values.mean((0, 1))[states]


class Entries(torch.autograd.Function):
    """``tables[index]`` whose gradient has only those entries: a sparse one, since most players' values are untouched.

    Each entry is named once, as one step of each player does.
    """

    @staticmethod
    def forward(ctx: Any, tables: Tensor, *index: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(*index)
        ctx.size = tables.shape
        return tables[index]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        places = torch.stack([part.expand(gradient.shape).flatten() for part in ctx.saved_tensors])
        entries = torch.sparse_coo_tensor(places, gradient.flatten(), ctx.size, check_invariants=False)
        return entries, *[None] * len(places)


def takes_sparse_gradients(trainer: Trainer) -> bool:
    """Whether a step may have a sparse gradient: plain SGD in one process, and nothing else reads the gradient."""
    optimizer, callbacks = trainer.optimizers[0], trainer.callbacks  # type: ignore[attr-defined]
    settings = optimizer.param_groups[0]
    plain = type(optimizer) is torch.optim.SGD and not any(settings[k] for k in ("momentum", "weight_decay", "fused"))
    alone = trainer.world_size == 1 and trainer.accumulate_grad_batches == 1 and trainer.scaler is None
    readers = ("on_after_backward", "on_before_optimizer_step")
    read = any(getattr(type(each), name) is not getattr(Callback, name) for each in callbacks for name in readers)
    return plain and alone and not read and not trainer.gradient_clip_val


def explore(q: Tensor, epsilon: float | Tensor) -> Tensor:
    """Epsilon-greedy actions (R,) of action values (R, A), by one epsilon or (R, 1); of equal ones a random one."""
    best = (q >= q.amax(1, keepdim=True)).double()
    p = (1 - epsilon) * best / best.sum(1, keepdim=True) + epsilon / q.shape[1]
    return torch.multinomial(p, 1)[:, 0]


def value_after(q: Tensor, other: Tensor, action: Tensor, method: Method, epsilon: float) -> Tensor:
    """What the method expects after a step (R,), from the action values (R, A) of the state that was reached.

    Args:
        q: Of the table that is updated.
        other: Of the table that evaluates: double Q's other one, else the same.
        action: That the player takes next (R,).
        method: See ``LitControl``.
        epsilon: Of the player's policy, for ``expected_sarsa``.
    """
    if method == "sarsa":
        return q.gather(1, action[:, None])[:, 0]
    if method == "expected_sarsa":
        return (1 - epsilon) * q.amax(1) + epsilon * q.mean(1)
    return other.gather(1, q.argmax(1, keepdim=True))[:, 0]  # q_learning: the maximum


@trains(ActionTables)
class LitControl(Task):
    """Control as a task: a batch is ``Transitions``, (T, R) each; T updates are made one after the other.

    Args:
        method: ``q_learning``, ``sarsa``, ``expected_sarsa``, ``double_q``, or ``monte_carlo``: the mean of all returns
            of an action, by players whose epsilon in episode k is 1/k (greedy in the limit, infinite exploration).
        gamma: The discount.
        alpha: Step size, not of ``monte_carlo``.
        epsilon: Probability of a random action, not of ``monte_carlo``.
        lam: Lambda of the eligibility traces, for ``sarsa``: 0 is one step.
        planning_steps: Updates by a learned model after each real step, for ``q_learning``: Dyna-Q (``dyna.py``).
        kappa: Dyna-Q+'s weight of the time since an action was taken, in planning.
        **task: See ``Task``.
    """

    output_means = "the value of each action, a mean over the players"
    net: ActionTables
    trace: Tensor
    online: Tensor

    def __init__(
        self,
        num_runs: int = 50,
        num_states: int = 48,
        num_actions: int = 4,
        method: Method = "q_learning",
        gamma: float = 1.0,
        alpha: float = 0.5,
        epsilon: float = 0.1,
        lam: float = 0.0,
        planning_steps: int = 0,
        kappa: float = 0.0,
        **task: Any,
    ) -> None:
        if method not in get_args(Method):
            raise UserError(f"model.method is {method!r}: give {', '.join(get_args(Method))}")
        if lam and method != "sarsa":
            raise UserError(f"model.lam is {lam}: eligibility traces are those of --model.method sarsa")
        if (planning_steps and method != "q_learning") or planning_steps < 0 or kappa < 0:
            raise UserError(
                f"model.planning_steps is {planning_steps}, model.kappa {kappa}: neither is less than 0, and "
                "planning is that of --model.method q_learning"
            )
        for name, value in {"gamma": gamma, "alpha": alpha, "epsilon": epsilon, "lam": lam}.items():
            if not 0 <= value <= 1:
                raise UserError(f"model.{name} is {value}: give a number from 0 to 1")
        super().__init__(**task)
        self.method, self.gamma, self.alpha, self.epsilon, self.lam = method, gamma, alpha, epsilon, lam
        self.register_buffer("trace", torch.zeros(num_runs, num_states, num_actions, dtype=torch.float64))
        self.register_buffer("online", torch.full((num_runs,), float("nan"), dtype=torch.float64))
        self.sums = EpisodeSums(num_runs, num_states, num_actions) if method == "monte_carlo" else None
        self.planning_steps, self.kappa = planning_steps, kappa
        self.models = LearnedModels(num_runs, num_states, num_actions) if planning_steps else None
        self.sparse = False  # whether the gradient of a step on one entry is
        self.example_input = torch.zeros(1, dtype=torch.long)

    def configure_model(self) -> None:
        if self.device_mesh is not None:
            raise UserError("players act at times of their own and need whole tables: train them with -c trainer/ddp")

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if (self.lam or self.sums or self.models) and rank_and_world(self)[1] > 1:
            what = "model.lam" if self.lam else "model.method monte_carlo" if self.sums else "model.planning_steps"
            raise UserError(f"{what}: what is kept belongs to one process's environments: give --trainer.devices 1")

    def on_train_start(self) -> None:
        super().on_train_start()
        self.sparse = takes_sparse_gradients(self.trainer)

    def act(self, states: Tensor, greedy: bool = False) -> Tensor:
        """The actions (R,) of the players in states (R,); of greedy ones the first of the best."""
        tables = self.net.values if self.method == "double_q" else self.net.values[:1]  # else they are equal
        q = tables[:, torch.arange(len(states)), states].mean(0)
        if greedy:
            return q.argmax(1)
        return explore(q, self.epsilon if self.sums is None else 1 / self.sums.episode[:, None])

    def differences(self, tables: Tensor, row: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """After a step, each part (R,): which table learns, the value of what follows, and the temporal difference.

        Averages returns in ``online``.
        """
        state, action, reward, reached, following, terminated, returns = row
        runs = torch.arange(len(state), device=state.device)
        one = torch.zeros_like(runs)
        if self.method == "double_q":
            one = torch.randint(2, one.shape, device=state.device)
        other = 1 - one if self.method == "double_q" else one
        after = value_after(
            tables[one, runs, reached], tables[other, runs, reached], following, self.method, self.epsilon
        )
        before = torch.where(self.online.isnan(), returns, self.online)
        self.online = torch.where(returns.isnan(), self.online, 0.95 * before + 0.05 * returns)
        return one, after, reward + self.gamma * after * ~terminated - tables[one, runs, state, action]

    def updated(self, tables: Tensor, row: tuple[Tensor, ...]) -> Tensor:
        """The tables (2, R, S, A) after the transition of a step, each part (R,)."""
        state, action, reward, reached, _, terminated, returns = row
        one, after, delta = self.differences(tables, row)
        runs = torch.arange(len(state), device=state.device)
        tables, over = tables.clone(), ~returns.isnan()
        if self.sums is not None:
            cut = reward + self.gamma * after * (over & ~terminated)
            tables[0] = self.sums.step(tables[0], state, action, cut, over, self.gamma)
        elif self.lam:
            self.trace = self.trace * (self.gamma * self.lam)
            self.trace[runs, state, action] = 1.0  # replacing
            tables[0] += self.alpha * delta[:, None, None] * self.trace
            self.trace = self.trace * ~over[:, None, None]  # another episode begins
        else:
            tables[one, runs, state, action] += self.alpha * delta
        if self.models is not None:
            self.models.learn(state, action, reward, reached, terminated)
            tables[0] = self.models.plan(tables[0], self.planning_steps, self.alpha, self.gamma, self.kappa)
        if self.method != "double_q":
            tables[1] = tables[0]
        return tables

    def entry_loss(self, tables: Tensor, row: tuple[Tensor, ...]) -> Tensor:
        """The loss of a step that changes one entry of each player: that of ``updated``, without the other entries."""
        state, action = row[:2]
        with torch.no_grad():
            one, _, delta = self.differences(tables, row)
        runs = torch.arange(len(state), device=state.device)
        which = one if self.method == "double_q" else torch.arange(2, device=one.device)[:, None]
        index = (which, runs, state, action)
        entry = Entries.apply(tables, *index) if self.sparse else tables[index]  # type: ignore[no-untyped-call]
        return (entry - (entry + self.alpha * delta).detach()).square().sum() / 2

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        tables, rows = self.net.values, list(zip(*batch, strict=True))
        if len(rows) == 1 and not (self.lam or self.sums or self.models):
            loss = self.entry_loss(tables, rows[0])
        else:
            with torch.no_grad():
                target = tables.detach()
                for row in rows:
                    target = self.updated(target, row)
            loss = (tables - target).square().sum() / 2
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self.log("train/return", self.online.nanmean().nan_to_num(), sync_dist=True)

    def evaluate(self, stage: str, returns: Tensor) -> None:
        """Logs the mean return of greedy episodes; what the players earn while they explore is ``train/return``."""
        mean, several = returns.mean(), rank_and_world(self)[1] > 1
        self.log_dict({f"{stage}/loss": -mean, f"{stage}/return": mean}, batch_size=len(returns), sync_dist=several)

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("val", batch[0])

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.evaluate("test", batch[0])

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        """The return and the length of a greedy episode of each player."""
        return {"return": batch[0], "length": batch[1]}

    def value_map(self) -> dict[str, Any] | None:
        """For ``ValueMap``: values and greedy actions, means over the players."""
        q = self.net.values.detach().mean((0, 1)).cpu()
        return {"values": q.amax(1), "policy": q >= q.amax(1, keepdim=True)}
