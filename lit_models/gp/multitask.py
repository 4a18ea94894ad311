"""Multitask Gaussian processes: what is known of one quantity helps to predict another (GPyTorch).

Bonilla, Chai and Williams 2008, "Multi-task Gaussian Process Prediction". D2L 18 mentions them.
A place is a row of numbers and the number of its task in the last column; the covariance is a kernel of the numbers
times a learned covariance B of the tasks, B = W W^T + diag(v), W of ``rank`` columns.

    dive fit gp/multitask                     eight readings of the second sensor, many of the first, offline
    dive fit gp/multitask --model.rank 0      two processes that do not know of each other

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal

import gpytorch
import torch
from torch import Tensor, nn

from lit_models.gp.exact_cg import CGExactGP, ExactStep, distance_kernel
from lit_models.tasks.trains import trains


class MultitaskGP(CGExactGP):
    """x (B, F), the last column the task -> mean, variance of the function, variance of an observation, each (B,).

    Args:
        num_features: Columns F of x, with that of the task.
        num_tasks: Number of tasks.
        rank: Columns of W: of the factors that tasks share; 0 for independent tasks.
        kernel: See ``CGExactGP``.
        noise: See ``CGExactGP``.
        min_noise: See ``CGExactGP``.
        length_scale_prior: See ``CGExactGP``.
        max_cholesky: See ``CGExactGP``.
    """

    def __init__(
        self,
        num_features: int = 2,
        num_tasks: int = 2,
        rank: int = 1,
        kernel: Literal["rbf", "matern"] = "rbf",
        noise: float = 0.3,
        min_noise: float = 1e-4,
        length_scale_prior: float = 0.0,
        max_cholesky: int = 800,
    ) -> None:
        object.__setattr__(self, "tasks", (num_tasks, rank))  # before nn.Module is ready
        super().__init__(num_features, kernel, noise, min_noise, length_scale_prior, max_cholesky)

    def covariance_module(self, kernel: Literal["rbf", "matern"], prior: float) -> nn.Module:
        places = self.num_features - 1
        num_tasks, rank = self.tasks  # type: ignore[misc]
        within = distance_kernel(kernel, places, prior, active_dims=tuple(range(places)))
        between = gpytorch.kernels.IndexKernel(num_tasks, rank=max(1, rank), active_dims=(places,))
        with torch.no_grad():
            between.covar_factor.fill_(0.1 if rank else 0.0)
            between.covar_factor[0] *= 1.5  # not all equal: a saddle
        between.covar_factor.requires_grad_(rank > 0)
        return within * between

    def task_covariance(self) -> Tensor:
        """B (num_tasks, num_tasks), in variances of the standardized target."""
        _, between = self.gp.covar_module.kernels
        return between.covar_matrix.to_dense().detach()


@trains(MultitaskGP)
class LitMultitaskGP(ExactStep):
    """A multitask process; the task's number is the last column."""

    def __init__(self, num_features: int = 2, **task: Any) -> None:
        super().__init__(**task)
