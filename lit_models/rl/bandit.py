"""Bandits: explore arms of unknown means, and exploit the best so far. Many runs at once, an array operation a pull.

Robbins 1952; Auer et al. 2002 (UCB1); Thompson 1933; Sutton and Barto, chapter 2. Silver's lecture 9; not in D2L.
An estimate's running mean is a step of gradient descent at rate 1: half of (N_new / N) (Q - reward)^2 has the gradient
(N_new / N) (Q - reward). The gradient bandit's parameters are preferences, and its loss is REINFORCE's.

    dive fit rl/bandit                                   UCB1 on 200 ten-armed bandits
    dive fit rl/bandit --model.method epsilon_greedy
    dive fit rl/bandit --model.method thompson

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.tasks.processes import mean_over_processes, rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

Method = Literal["epsilon_greedy", "ucb", "thompson", "gradient"]


class Arms(nn.Module):
    """A number for each arm of each run: its estimated mean, or its preference. () or runs (B,) -> (B, num_arms).

    Args:
        num_runs: Independent bandits R.
        num_arms: Arms K of each.
        initial: The first estimate: a high one makes a greedy player explore (optimism).
    """

    def __init__(self, num_runs: int = 200, num_arms: int = 10, initial: float = 0.0) -> None:
        super().__init__()
        self.estimates = nn.Parameter(torch.full((num_runs, num_arms), initial, dtype=torch.float64))

    def forward(self, runs: Tensor | None = None) -> Tensor:
        return self.estimates.clone() if runs is None else self.estimates[runs]


def epsilon_greedy(estimates: Tensor, epsilon: float) -> Tensor:
    """The best arm (R,) of each row of estimates (R, K), with probability epsilon a random one."""
    random = torch.randint(estimates.shape[1], estimates.shape[:1], device=estimates.device)
    explore = torch.rand(len(estimates), device=estimates.device) < epsilon
    return torch.where(explore, random, estimates.argmax(1))


def ucb_scores(estimates: Tensor, pulls: Tensor, c: float = 2.0) -> Tensor:
    """UCB1: Q + sqrt(c ln t / N), infinite for an arm that was never pulled. All (R, K); c is 2 in Auer et al."""
    t = pulls.sum(1, keepdim=True).clamp(min=1)
    return torch.where(pulls > 0, estimates + (c * t.log() / pulls.clamp(min=1)).sqrt(), float("inf"))


def thompson_scores(estimates: Tensor, pulls: Tensor, bernoulli: bool) -> Tensor:
    """A sample of each arm's mean from its posterior (R, K).

    Rewards of 0 and 1 have a uniform prior and a Beta posterior; others variance 1 and the prior N(0, 1), so that
    the posterior is N(N Q / (N + 1), 1 / (N + 1)).
    """
    if bernoulli:
        successes = (estimates * pulls).clamp(min=0)
        return torch.distributions.Beta(1 + successes, 1 + (pulls - successes).clamp(min=0)).sample()
    return estimates * pulls / (pulls + 1) + torch.randn_like(estimates) / (pulls + 1).sqrt()


@trains(Arms)
class LitBandit(Task):
    """A player as a task: a batch (B, R, K) has the rewards that each arm would give, of which one is seen.

    All B pulls of a batch are of one arm. Needs a datamodule with ``arm_means`` (R, K), which the player never sees:
    the regret of its choices is measured with them.

    Args:
        method: ``epsilon_greedy``, ``ucb`` (UCB1), ``thompson``, ``gradient`` (softmax of preferences).
        epsilon: Probability of a random arm, of ``epsilon_greedy``.
        decay: Divides epsilon by 1 + decay t at pull t; 0 keeps it.
        c: The constant of UCB1; 0 is the greedy player.
        step_size: Of the gradient bandit.
        bernoulli: Whether rewards are 0 or 1.
        **task: See ``Task``.
    """

    output_means = "the estimate of each arm, of a run"
    regret: Tensor
    pulls: Tensor
    baseline: Tensor

    def __init__(
        self,
        num_runs: int = 200,
        num_arms: int = 10,
        method: Method = "ucb",
        epsilon: float = 0.1,
        decay: float = 0.0,
        c: float = 2.0,
        step_size: float = 0.1,
        bernoulli: bool = False,
        **task: Any,
    ) -> None:
        if method not in get_args(Method):
            raise UserError(f"model.method is {method!r}: give {', '.join(get_args(Method))}")
        if not 0 <= epsilon <= 1:
            raise UserError(f"model.epsilon is {epsilon}: give a probability")
        super().__init__(**task)
        self.method, self.epsilon, self.decay, self.c = method, epsilon, decay, c
        self.step_size, self.bernoulli = step_size, bernoulli
        for name in ("pulls", "regret", "baseline"):
            size = (num_runs, num_arms) if name == "pulls" else (num_runs,)
            self.register_buffer(name, torch.zeros(size, dtype=torch.float64))
        self.example_input = torch.zeros(1, dtype=torch.long)

    def choose(self, estimates: Tensor) -> Tensor:
        """The arm (R,) that each run pulls next."""
        if self.method == "epsilon_greedy":
            return epsilon_greedy(estimates, self.epsilon / (1 + self.decay * float(self.pulls[0].sum())))
        if self.method == "ucb":
            return ucb_scores(estimates, self.pulls, self.c).argmax(1)
        if self.method == "thompson":
            return thompson_scores(estimates, self.pulls, self.bernoulli).argmax(1)
        return torch.multinomial(estimates.softmax(1), 1)[:, 0]

    def pull(self, rewards: Tensor) -> Tensor:
        """The loss of one choice with its rewards (B, R, K), and the counts after it."""
        estimates, count = self.net(), len(rewards) * rank_and_world(self)[1]
        arm = self.choose(estimates.detach())
        reward = rewards.double().mean(0).gather(1, arm[:, None])[:, 0]  # (R,)
        chosen = F.one_hot(arm, estimates.shape[1]).double()
        seen = self.pulls + count * mean_over_processes(self, chosen).double()
        mine = estimates.gather(1, arm[:, None])[:, 0]
        if self.method == "gradient":
            log_p = estimates.log_softmax(1).gather(1, arm[:, None])[:, 0]
            loss = -self.step_size * ((reward - self.baseline) * log_p).sum()
            self.baseline = self.baseline + (reward - self.baseline) * count / seen.sum(1)
        else:
            rate = count / seen.gather(1, arm[:, None])[:, 0]
            loss = (rate * (mine - reward).square()).sum() / 2
        self.pulls = seen
        self.count_regret(arm, count)
        return loss

    def count_regret(self, arm: Tensor, count: int) -> None:
        means = self.data_attribute("arm_means")
        if means is not None:
            means = means.to(arm.device).double()
            self.regret = self.regret + count * (means.amax(1) - means.gather(1, arm[:, None])[:, 0])

    def training_step(self, batch: tuple[Tensor], batch_idx: int) -> Tensor:
        loss = self.pull(batch[0])
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self.log("train/regret", self.regret.mean(), sync_dist=True)

    def evaluate(self, stage: str, batch: tuple[Tensor, Tensor]) -> None:
        """What the arm that looks best is worse than the best, a pull; in a test also the regret of the training."""
        runs, means = batch
        arm = self.net()[runs].argmax(1, keepdim=True)
        lost = (means.amax(1) - means.gather(1, arm)[:, 0]).mean()
        several = rank_and_world(self)[1] > 1
        self.log(f"{stage}/loss", lost, batch_size=len(runs), sync_dist=several)
        if stage == "test":
            self.log("test/regret", self.regret[runs].mean(), batch_size=len(runs), sync_dist=several)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluate("val", batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluate("test", batch)

    def predict_step(self, batch: tuple[Tensor], batch_idx: int) -> dict[str, Tensor]:
        """The arm that looks best in each run, and how often each was pulled."""
        return {"arm": self.net()[batch[0]].argmax(1), "pulls": self.pulls[batch[0]]}

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: the regret of this player and of others on the same bandits and rewards."""
        splits, means = self.data_attribute("splits", {}), self.data_attribute("arm_means")
        if "train" not in splits:
            return []
        players = {"epsilon 0.1": ("epsilon_greedy", 0.1), "greedy": ("epsilon_greedy", 0.0), "UCB1": ("ucb", 0.0)}
        players |= {"Thompson": ("thompson", 0.0), "gradient": ("gradient", 0.0)}
        lines = {}
        for name, (method, epsilon) in players.items():
            regret = play(splits["train"][0], means, method, epsilon=epsilon, bernoulli=self.bernoulli)
            lines[name] = (torch.arange(1, len(regret) + 1), regret.mean(1))
        return [{"title": "regret", "xlabel": "pulls", "lines": lines}]


def play(rewards: Tensor, means: Tensor, method: Any, **arguments: Any) -> Tensor:
    """Plays without a Trainer: the regret (T, R) after each pull of rewards (T, R, K) by arms of ``means`` (R, K)."""
    player = LitBandit(num_runs=means.shape[0], num_arms=means.shape[1], method=method, **arguments)
    player.count_regret = lambda arm, count: taken.append(arm)  # type: ignore[method-assign]
    taken: list[Tensor] = []
    (weight,) = player.parameters()
    for row in rewards:
        (gradient,) = torch.autograd.grad(player.pull(row[None]), weight)
        weight.data -= gradient
    arms = torch.stack(taken)  # (T, R)
    lost = means.amax(1) - means.gather(1, arms.T).T
    return lost.cumsum(0)
