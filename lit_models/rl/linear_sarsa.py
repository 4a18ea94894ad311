"""SARSA(lambda) with a linear function of tiles: the car that must swing to climb the mountain.

Sutton and Barto 10.1 and 12.7; Silver's lecture 6; not in D2L. Departs from the book: several environments teach one
set of weights at once, each with traces of its own; a time limit truncates an episode and does not terminate it. All
values begin at zero, above every true one, so that the agent explores without random actions.

    dive fit rl/linear_sarsa                          MountainCar: values.png is minus the steps to the top
    dive fit rl/linear_sarsa --model.lam 0            one step: slower
    dive play rl/linear_sarsa

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.rl.agent import Agent
from lit_models.rl.control import explore
from lit_models.rl.linear_prediction import baird, td_update, tdc_update
from lit_models.rl.tile_coding import TileCoding
from lit_models.tasks.processes import rank_and_world
from lit_models.tasks.trains import trains


class TileValues(nn.Module):
    """Action values, linear in the tiles. Observations (B, F) -> (B, A).

    Args:
        num_features: F.
        num_actions: A.
        low: Smallest value of each feature.
        high: Largest value of each feature.
        tilings: Grids.
        tiles: Tiles of a grid in each dimension.

    Raises:
        UserError: There are more or fewer limits than features.
    """

    def __init__(
        self,
        num_features: int = 2,
        num_actions: int = 3,
        low: list[float] | None = None,
        high: list[float] | None = None,
        tilings: int = 8,
        tiles: int = 8,
    ) -> None:
        super().__init__()
        low, high = low or [-1.2, -0.07], high or [0.6, 0.07]  # MountainCar's
        if len(low) != num_features:
            raise UserError(f"model.low has {len(low)} numbers for {num_features} features: give one for each")
        self.coding = TileCoding(low, high, tilings, tiles)
        self.weights = nn.Parameter(torch.zeros(self.coding.count, num_actions))

    def forward(self, observation: Tensor) -> Tensor:
        return self.weights[self.coding(observation)].sum(-2)


@trains(TileValues)
class LitLinearSarsa(Agent):
    """SARSA(lambda) as a task: a batch is ``Transitions`` (``datamodules/rl/steps.py``), updated one after the other.

    A step of the optimizer at rate 1 leads to the updated weights, as in ``control.py``.

    Args:
        num_envs: Environments N, each with a trace.
        gamma: The discount.
        alpha: Step size, divided by the number of grids.
        epsilon: Probability of a random action.
        lam: Lambda of the traces.
        **task: See ``Task``.
    """

    output_means = "the value of each action"
    net: TileValues
    trace: Tensor

    def __init__(
        self,
        num_envs: int = 8,
        gamma: float = 1.0,
        alpha: float = 0.5,
        epsilon: float = 0.0,
        lam: float = 0.9,
        **task: Any,
    ) -> None:
        for name, value in {"gamma": gamma, "alpha": alpha, "epsilon": epsilon, "lam": lam}.items():
            if not 0 <= value <= 1:
                raise UserError(f"model.{name} is {value}: give a number from 0 to 1")
        super().__init__(**task)
        self.gamma, self.alpha, self.epsilon, self.lam = gamma, alpha, epsilon, lam
        self.register_buffer("trace", torch.zeros(num_envs, *self.net.weights.shape))

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.lam and rank_and_world(self)[1] > 1:  # buffers are those of the first process
            raise UserError("model.lam: the traces belong to one process's environments: give --trainer.devices 1")

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        """Actions (N,) for observations (N, F): of equal values a random one, or the first."""
        q = self.net(observation)
        return q.argmax(1) if greedy else explore(q, self.epsilon)

    def forget_episodes(self) -> None:
        self.trace.zero_()

    def updated(self, weights: Tensor, row: tuple[Tensor, ...]) -> Tensor:
        """The weights (K, A) after a step of the environments, each part (N, ...); moves the traces."""
        observation, action, reward, reached, following, terminated, over, valid = row
        envs, tiles = torch.arange(len(action), device=action.device), self.net.coding(observation)
        q = weights[tiles].sum(1)[envs, action]
        after = weights[self.net.coding(reached)].sum(1)[envs, following]
        delta = (reward + self.gamma * after * ~terminated - q) * valid
        self.trace *= self.gamma * self.lam
        self.trace[envs[:, None], tiles, action[:, None]] = 1.0  # replacing
        rate = self.alpha / self.net.coding.tilings / len(action)
        weights = weights + rate * torch.einsum("n,nka->ka", delta, self.trace)
        self.trace *= (valid & ~over)[:, None, None]  # another episode begins
        return weights

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        weights = self.net.weights
        with torch.no_grad():
            target = weights.detach()
            for row in zip(*batch, strict=True):
                target = self.updated(target, row)
        loss = (weights - target).square().sum() / 2
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: minus the best values over the first feature, and what linear TD may do off policy."""
        coding, found = self.net.coding, []
        if len(coding.low) == 2:
            x = coding.low[0] + coding.span[0] * torch.linspace(0, 1, 100, device=self.device)
            lines = {}
            for part in (0.2, 0.5, 0.8):
                second = coding.low[1] + part * coding.span[1]
                points = torch.stack([x, second.expand_as(x)], 1)
                lines[f"second feature {float(second):.3g}"] = (x, -self.net(points).detach().amax(1))
            found.append({"title": "minus the value", "xlabel": "first feature", "lines": lines})
        steps = torch.arange(1001)
        lines = {name: (steps, baird_run(1000, name == "TDC")) for name in ("TD", "TDC")}
        return [*found, {"title": "Baird's counterexample: |w|", "xlabel": "sweeps", "lines": lines, "log": True}]


def baird_run(sweeps: int, corrected: bool) -> Tensor:
    """The largest weight (sweeps + 1,) on Baird's counterexample, by TD(0) or with gradient correction."""
    x, reached, w = baird()
    v, reward, ratio = torch.zeros_like(w), torch.zeros_like(x[:, 0]), torch.ones_like(x[:, 0])
    found = [w.abs().max()]
    for _ in range(sweeps):
        if corrected:
            move, second = tdc_update(w, v, x, reward, reached, 0.99, ratio)
            w, v = w + 0.02 * move, v + 0.2 * second
        else:
            w = w + 0.02 * td_update(w, x, reward, reached, 0.99, ratio)
        found.append(w.abs().max())
    return torch.stack(found)
