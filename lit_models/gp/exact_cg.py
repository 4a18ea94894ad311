"""Exact Gaussian process regression through GPyTorch: conjugate gradients in the place of a Cholesky factor.

Gardner et al. 2018, "GPyTorch: Blackbox Matrix-Matrix Gaussian Process Inference with GPU Acceleration". D2L 18.3 has
GPyTorch's Cholesky. The evidence is estimated with random probe vectors and its gradient is exact on average only.
Departs from GPyTorch's defaults: everything is in double precision, and predictions are solved to 0.001.

    dive fit gp/exact_cg            1,000 rows of a function of ten columns, of which five matter, offline

The numbers it reaches are in RESULTS.md. ``gp/exact`` is the same model by hand, faster below about 2,000 rows.
"""

from contextlib import ExitStack
from typing import Any, Literal

import gpytorch
import torch
from gpytorch.constraints import GreaterThan
from gpytorch.distributions import MultivariateNormal
from gpytorch.priors import LogNormalPrior
from torch import Tensor, nn

from common.messages import UserError
from lit_models.gp.regression import likeliest, refuse_too_many
from lit_models.layers.precision import full_precision
from lit_models.tasks.gaussian_regressor import GaussianRegressor
from lit_models.tasks.trains import trains


class Process(gpytorch.models.ExactGP):
    """GPyTorch's exact process with a constant mean; x (N, F).

    Args:
        covariance: GPyTorch's kernel.
        min_noise: The least variance of the noise.
        num_features: F.
    """

    def __init__(self, covariance: nn.Module, min_noise: float, num_features: int) -> None:
        likelihood = gpytorch.likelihoods.GaussianLikelihood(noise_constraint=GreaterThan(min_noise))
        super().__init__(torch.zeros(0, num_features), torch.zeros(0), likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = covariance

    def forward(self, x: Tensor) -> MultivariateNormal:
        return MultivariateNormal(self.mean_module(x), self.covar_module(x))


def distance_kernel(
    kernel: Literal["rbf", "matern"], num_features: int, prior: float = 0.0, **which: Any
) -> gpytorch.kernels.Kernel:
    """An RBF or Matern-5/2 kernel with a length-scale for each column that starts at their root.

    Args:
        kernel: Its name.
        num_features: Columns F.
        prior: Standard deviation of a log-normal prior of the length-scales around their start; 0 for none.
        **which: GPyTorch's further arguments, such as ``active_dims``.
    """
    start = torch.tensor(float(num_features)).sqrt()
    given = {"lengthscale_prior": LogNormalPrior(start.log(), prior)} if prior else {}
    classes = {"rbf": gpytorch.kernels.RBFKernel, "matern": gpytorch.kernels.MaternKernel}
    found = classes[kernel](ard_num_dims=num_features, **given, **which)
    found.lengthscale = start
    return found


class CGExactGP(nn.Module):
    """x (B, F) -> mean, variance of the function, variance of an observation, each (B,), given the training points.

    Args:
        num_features: Columns F of x.
        kernel: ``rbf`` or ``matern`` (5/2), with a length-scale for each column.
        noise: The noise's standard deviation to start from, in those of the target.
        min_noise: The least variance of the noise: GPyTorch's constraint.
        length_scale_prior: The width of a log-normal prior of the length-scales; 0 for none.
        max_cholesky: Rows up to which there is a Cholesky factor instead of conjugate gradients.
    """

    x: Tensor
    y: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_features: int = 1,
        kernel: Literal["rbf", "matern"] = "matern",
        noise: float = 0.3,
        min_noise: float = 1e-4,
        length_scale_prior: float = 0.0,
        max_cholesky: int = 800,
    ) -> None:
        super().__init__()
        if noise**2 <= min_noise or noise < 0:
            raise UserError(f"model.noise is {noise}: a standard deviation whose square is above model.min_noise")
        self.num_features, self.max_cholesky = num_features, max_cholesky
        covariance = self.covariance_module(kernel, length_scale_prior)
        self.gp = Process(covariance, min_noise, num_features).double()
        self.gp.likelihood.noise = noise**2
        self.register_buffer("x", torch.zeros(0, num_features, dtype=torch.float64))
        self.register_buffer("y", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("std", torch.ones((), dtype=torch.float64))

    def covariance_module(self, kernel: Literal["rbf", "matern"], prior: float) -> nn.Module:
        """The kernel with its variance."""
        return gpytorch.kernels.ScaleKernel(distance_kernel(kernel, self.num_features, prior))

    def settings(self) -> ExitStack:
        """GPyTorch's settings, while the context is open."""
        stack = ExitStack()
        stack.enter_context(gpytorch.settings.max_cholesky_size(self.max_cholesky))
        stack.enter_context(gpytorch.settings.eval_cg_tolerance(0.001))
        stack.enter_context(gpytorch.settings.skip_posterior_variances(False))
        return stack

    def remember(self, x: Tensor, y: Tensor) -> None:
        """Stores the training points x (N, F), y (N,), which a prediction needs.

        Raises:
            UserError: Another number of columns, a constant target, or more rows than memory.
        """
        if x.shape[1] != self.num_features:
            raise UserError(f"the data has {x.shape[1]} columns, but model.num_features is {self.num_features}")
        refuse_too_many(x, "use gp/svgp, whose steps take a batch")
        y = y.reshape(len(x)).double()
        if len(y) < 2 or bool((y == y[0]).all()):
            raise UserError(f"the target of all {len(y)} training rows is the same: there is nothing to learn")
        self.mean.copy_(y.mean())
        self.std.copy_(y.std())
        self.x, self.y = x.double(), (y - self.mean) / self.std
        self._hand_over()

    def _hand_over(self) -> None:
        self.gp.set_train_data(self.x, self.y, strict=False)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Takes the training points of a checkpoint, whatever their number."""
        for name in ("x", "y"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.x.device))
        super()._load_from_state_dict(state_dict, prefix, *others)
        self._hand_over()

    def nll(self) -> Tensor:
        """The negative log marginal likelihood per point in nats, an estimate above ``max_cholesky`` points."""
        evidence = gpytorch.mlls.ExactMarginalLogLikelihood(self.gp.likelihood, self.gp)
        with self.settings():
            return -evidence(self.gp(self.x), self.y)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if x.shape[1] != self.num_features:
            raise UserError(f"a point has {x.shape[1]} columns, but the model was made for {self.num_features}")
        with self.settings(), gpytorch.settings.debug(False):
            found = self.gp(x) if len(self.x) else self.gp.forward(x)
            mean, variance = found.mean, found.variance.clamp(min=0)
        observed = variance + self.gp.likelihood.noise
        return mean * self.std + self.mean, variance * self.std**2, observed * self.std**2


class ExactStep(GaussianRegressor):
    """What exact processes of GPyTorch share: the points from the datamodule, and a step of all of them.

    Args:
        starts: Hyper-parameters to begin with that are tried; training begins with the likeliest.
        **task: See ``Task``.
    """

    net: Any

    def __init__(self, starts: int = 1, **task: Any) -> None:
        super().__init__(**task)
        self.starts = starts

    def on_fit_start(self) -> None:
        """Stores the training points of the datamodule's ``splits``; a checkpoint has them too."""
        super().on_fit_start()
        splits = self.data_attribute("splits")
        if splits:
            self.net.remember(*(tensor.to(self.device) for tensor in splits["train"][:2]))

    def on_train_start(self) -> None:
        """Tries ``starts`` hyper-parameters, at the beginning of a run."""
        super().on_train_start()
        if self.starts > 1 and self.trainer.global_step == 0 and len(self.net.x):
            self.net.load_state_dict(likeliest(self.net, self.starts), strict=False)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        with full_precision(self.net.x):
            loss = self.net.nll()
        self.record_train_loss(loss, len(self.net.y))
        return loss


@trains(CGExactGP)
class LitCGExactGP(ExactStep):
    """An exact Gaussian process of GPyTorch; each step takes all training rows, whatever the batch."""
