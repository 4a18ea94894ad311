"""Lookahead: k steps ahead, then a part of the way back toward where they began.

Zhang et al. 2019, "Lookahead Optimizer: k steps forward, 1 step back", algorithm 1. The slow weights average out the
fast ones' noise, so that the inner optimizer can have a higher rate. Evaluation uses the weights at hand, which are
the slow ones after every k steps.

    dive fit cnn/lenet --model.optimizer Lookahead --model.optimizer.base Adam --model.optimizer.base.lr 0.001
"""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable

from common.messages import UserError
from lit_models.optimization.by_hand import Closure, Params
from lit_models.optimization.wrapper import SGD_BASE, Wrapper


class Lookahead(Wrapper):
    """After every k steps of the inner optimizer: slow <- slow + toward (fast - slow), and fast <- slow.

    Args:
        params: Parameters, or groups of them.
        base: Makes the inner optimizer from the parameters.
        every: k.
        toward: How far the slow weights go; 1 is the inner optimizer alone.

    Raises:
        UserError: ``every`` is less than 1.
    """

    kept = frozenset({"slow"})

    def __init__(
        self,
        params: Params,
        base: OptimizerCallable = SGD_BASE,
        every: int = 5,
        toward: float = 0.5,
    ) -> None:
        if every < 1:
            raise UserError(f"Lookahead: every is {every}: give a number of steps, at least 1")
        super().__init__(params, base, every=every, toward=toward, taken=0)

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        new = [p for g in self.param_groups for p in g["params"] if "slow" not in self.state.get(p, {})]
        first = {p: p.detach().clone() for p in new}
        loss = super().step(closure)
        for p, slow in first.items():  # only now: torch's optimizers take an empty state for a first step
            self.state[p]["slow"] = slow
        for group in self.param_groups:
            group["taken"] += 1
            if group["taken"] % group["every"] == 0:
                slow = [self.state[p]["slow"] for p in group["params"]]
                torch._foreach_lerp_(slow, group["params"], group["toward"])
                torch._foreach_copy_(group["params"], slow)
        return loss
