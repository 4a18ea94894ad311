"""Polyak averaging: the mean of the weights along the way is better than the last of them.

Polyak and Juditsky 1992; Goodfellow 8.7.3; Izmailov et al. 2018. With a constant rate the weights of stochastic
gradient descent wander around the minimum; their mean is closer to it. Training goes on with the weights themselves;
evaluation and checkpoints have the mean (``averages`` below), and the optimizer's state has the weights, so that a
resumed run goes on to the bit.

    dive fit optimization/averaging
"""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.by_hand import Closure, Params
from lit_models.optimization.wrapper import SGD_BASE, Wrapper


class PolyakAverage(Wrapper):
    """mean <- mean + (p - mean) / n after each step of the inner optimizer, n counting from ``start``.

    Args:
        params: Parameters, or groups of them.
        base: Makes the inner optimizer from the parameters.
        start: Steps before the mean begins; until then it is the weights themselves.
        decay: Above 0 an exponential mean instead, mean <- decay mean + (1 - decay) p.

    Raises:
        UserError: ``start`` is negative.
    """

    kept = frozenset({"average", "trained"})
    averages = True  #: evaluation and checkpoints have other weights than training: ``evaluated_weights``

    def __init__(
        self,
        params: Params,
        base: OptimizerCallable = SGD_BASE,
        start: int = 0,
        decay: float = 0.0,
    ) -> None:
        if start < 0:
            raise UserError(f"PolyakAverage: start is {start}: give a number of steps, at least 0")
        super().__init__(params, base, start=start, decay=decay, taken=0)
        self.training = True  # whether the parameters are the weights of training, not the mean

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        self.train()
        loss = super().step(closure)
        for group in self.param_groups:
            group["taken"] += 1
            n = max(1, group["taken"] - group["start"])
            fraction = 1.0 if n == 1 else 1 - group["decay"] if group["decay"] else 1 / n
            for p in group["params"]:
                self.state[p].setdefault("average", p.detach().clone())
            means = [self.state[p]["average"] for p in group["params"]]
            if fraction == 1:
                torch._foreach_copy_(means, group["params"])
            else:
                torch._foreach_lerp_(means, group["params"], fraction)
        return loss

    def evaluated_weights(self, p: Tensor) -> Tensor:
        """The weights of ``p`` for evaluation and checkpoints, whichever the parameter holds now."""
        return self.state[p].get("average", p.detach()) if p in self.state else p.detach()

    @torch.no_grad()
    def eval(self) -> None:
        """Puts the mean into the parameters; those of training are kept."""
        if self.training:
            self.training = False
            for p in self._averaged():
                self.state[p]["trained"] = p.detach().clone()
                p.copy_(self.state[p]["average"])

    @torch.no_grad()
    def train(self) -> None:
        """Puts the weights of training back."""
        if not self.training:
            self.training = True
            for p in self._averaged():
                p.copy_(self.state[p].pop("trained"))

    def _averaged(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"] if "average" in self.state.get(p, {})]

    def state_dict(self) -> dict[str, Any]:
        """With the weights of training, since the model's are the mean in a checkpoint."""
        own = [p for p in self._averaged() if "trained" not in self.state[p]]
        for p in own:
            self.state[p]["trained"] = p.detach()
        found = super().state_dict()
        found["state"] = {k: dict(v) for k, v in found["state"].items()}
        for p in own:
            del self.state[p]["trained"]
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues with the weights of training."""
        super().load_state_dict(state_dict)
        self.training = False
        self.train()
