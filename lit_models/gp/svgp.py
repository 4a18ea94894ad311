"""Sparse variational Gaussian processes (SVGP): some inducing points stand for all data, and training takes batches.

Hensman, Fusi and Lawrence 2013, "Gaussian Processes for Big Data"; through GPyTorch. A step costs O(B M^2 + M^3) for
B rows and M inducing points, whatever the number of rows.
Departs from GPyTorch's defaults: double precision, inducing points from the training rows, and a variational
distribution that begins as the prior, without noise, so that all processes begin alike.

    dive fit gp/svgp          4,000 rows of a function of ten columns in batches, offline

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal

import gpytorch
import torch
from gpytorch.distributions import MultivariateNormal
from gpytorch.variational import CholeskyVariationalDistribution, VariationalStrategy
from torch import Tensor, nn

from common.messages import UserError
from lit_models.gp.exact_cg import distance_kernel
from lit_models.layers.precision import full_precision
from lit_models.tasks.gaussian_regressor import GaussianRegressor
from lit_models.tasks.trains import trains


class Inducing(gpytorch.models.ApproximateGP):
    """GPyTorch's sparse process.

    Args:
        num_features: Columns F.
        num_inducing: Inducing points M.
        kernel: See ``SVGP``.
    """

    def __init__(self, num_features: int, num_inducing: int, kernel: Literal["rbf", "matern"]) -> None:
        distribution = CholeskyVariationalDistribution(num_inducing)
        places = torch.randn(num_inducing, num_features)
        super().__init__(VariationalStrategy(self, places, distribution, learn_inducing_locations=True))
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(distance_kernel(kernel, num_features))
        self.variational_strategy.variational_params_initialized.fill_(1)  # mean 0, covariance I: the whitened prior

    def forward(self, x: Tensor) -> MultivariateNormal:
        return MultivariateNormal(self.mean_module(x), self.covar_module(x))


class SVGP(nn.Module):
    """x (B, F) -> mean, variance of the function, variance of an observation, each (B,).

    Args:
        num_features: Columns F of x.
        num_inducing: Inducing points M.
        kernel: ``rbf`` or ``matern`` (5/2), with a length-scale for each column.
        noise: The noise's standard deviation to start from, in those of the target.
    """

    begun: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_features: int = 1,
        num_inducing: int = 64,
        kernel: Literal["rbf", "matern"] = "matern",
        noise: float = 0.3,
    ) -> None:
        super().__init__()
        if noise <= 0.01:
            raise UserError(f"model.noise is {noise}: it is a standard deviation, and GPyTorch's least is 0.01")
        self.num_features = num_features
        self.likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
        self.likelihood.noise = noise**2
        self.gp = Inducing(num_features, num_inducing, kernel).double()
        self.register_buffer("begun", torch.tensor(False))  # whether there are points and targets' statistics
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("std", torch.ones((), dtype=torch.float64))

    def begin(self, x: Tensor, y: Tensor) -> None:
        """Takes mean and deviation of the targets y (N,), and the inducing points from the rows x (N, F).

        Raises:
            UserError: Another number of columns, or a constant target.
        """
        if x.shape[1] != self.num_features:
            raise UserError(f"the data has {x.shape[1]} columns, but model.num_features is {self.num_features}")
        y = y.double()
        if len(y) < 2 or bool((y == y.flatten()[0]).all()):
            raise UserError(f"the target of all {len(y)} training rows is the same: there is nothing to learn")
        self.mean.copy_(y.mean())
        self.std.copy_(y.std())
        self.place(x)
        self.begun.fill_(True)

    @torch.no_grad()
    def place(self, x: Tensor) -> None:
        """Puts the inducing points on rows of x (N, F), chosen at random by a fixed seed; with too few rows, repeated
        ones are moved apart a little.
        """
        points = self.gp.variational_strategy.inducing_points
        generator = torch.Generator().manual_seed(0)
        order = torch.cat([torch.randperm(len(x), generator=generator) for _ in range(-(-len(points) // len(x)))])
        chosen = x[order[: len(points)].to(x.device)].to(points)
        apart = 0.01 * torch.randn(points.shape, generator=generator, dtype=points.dtype).to(points)
        points.copy_(chosen + (apart if len(x) < len(points) else 0))

    def loss(self, x: Tensor, y: Tensor, rows: int) -> Tensor:
        """The negative evidence lower bound per row: x (B, F), y (B,), of ``rows`` rows in all."""
        target = (y.reshape(len(x)).double() - self.mean) / self.std
        bound = gpytorch.mlls.VariationalELBO(self.likelihood, self.gp, num_data=rows)
        return -bound(self.gp(x.double()), target)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if x.shape[1] != self.num_features:
            raise UserError(f"a point has {x.shape[1]} columns, but the model was made for {self.num_features}")
        found = self.gp(x.double())
        mean, variance = found.mean, found.variance.clamp(min=0)
        observed = variance + self.likelihood.noise
        return mean * self.std + self.mean, variance * self.std**2, observed * self.std**2


class VariationalStep(GaussianRegressor):
    """What sparse processes share: inducing points from the datamodule, and a step on a batch."""

    net: Any

    def on_fit_start(self) -> None:
        """Looks at the training points of the datamodule's ``splits``, at the beginning of a run."""
        super().on_fit_start()
        splits = self.data_attribute("splits")
        self.rows = len(splits["train"][0]) if splits else 1
        if splits and not bool(self.net.begun):  # a run that continues has both in its checkpoint
            self.net.begin(*(tensor.to(self.device) for tensor in splits["train"][:2]))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        with full_precision(x):
            loss = self.net.loss(x, y, self.rows)
        self.record_train_loss(loss, len(x))
        return loss


@trains(SVGP)
class LitSVGP(VariationalStep):
    """A sparse process trained by its evidence lower bound in batches."""
