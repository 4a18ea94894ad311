"""LinUCB: a bandit whose arms have rewards that are linear in a context that is seen before each choice.

Li et al. 2010, algorithm 1 (disjoint arms). Silver's lecture 9; not in D2L. Many runs at once.
"""

import torch
from torch import Tensor


class LinUCB:
    """Ridge regression for each arm, and the width of its confidence interval as a bonus.

    Args:
        num_runs, num_arms: R independent players of K arms.
        num_features: D numbers of a context.
        alpha: How many widths of the interval are added.
    """

    def __init__(self, num_runs: int, num_arms: int, num_features: int, alpha: float = 1.0) -> None:
        self.alpha = alpha
        eye = torch.eye(num_features, dtype=torch.float64)
        self.inverse = eye.repeat(num_runs, num_arms, 1, 1)  # A^-1 (R, K, D, D)
        self.b = torch.zeros(num_runs, num_arms, num_features, dtype=torch.float64)

    def scores(self, x: Tensor) -> Tensor:
        """theta' x + alpha sqrt(x' A^-1 x) of each arm: contexts (R, D) -> (R, K)."""
        theta = torch.einsum("rkde,rke->rkd", self.inverse, self.b)
        width = torch.einsum("rd,rkde,re->rk", x, self.inverse, x).clamp(min=0).sqrt()
        return torch.einsum("rkd,rd->rk", theta, x) + self.alpha * width

    def update(self, x: Tensor, arm: Tensor, reward: Tensor) -> None:
        """Adds x x' to A of the arm (R,) that was pulled (Sherman and Morrison's formula), and reward * x to b."""
        runs = torch.arange(len(arm))
        inverse = self.inverse[runs, arm]
        ax = torch.einsum("rde,re->rd", inverse, x)
        scale = 1 + (x * ax).sum(1)
        self.inverse[runs, arm] = inverse - ax[:, :, None] * ax[:, None, :] / scale[:, None, None]
        self.b[runs, arm] += reward[:, None] * x
