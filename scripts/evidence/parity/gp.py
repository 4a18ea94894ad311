"""Gaussian processes against scikit-learn and GPyTorch: evidence and gradient, predictions, Laplace."""

from functools import partial
from typing import Any

import gpytorch
import numpy as np
import torch
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process import kernels as sk
from torch import Tensor

from lit_models.gp.exact import ExactGP
from lit_models.gp.kernels import Spec, make_kernel
from lit_models.gp.laplace import LaplaceGP, find_mode, log_evidence
from lit_models.gp.regression import log_marginal_likelihood
from scripts.evidence.verify import Check, Tensors

SCALES = [0.7, 1.9]
COUNT, NEW, NOISE = 20, 7, 0.3


def points(n: int, seed: int = 1) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def targets() -> Tensor:
    x = points(COUNT)
    return x[:, 0].sin() + 0.5 * x[:, 1] + 0.2 * torch.randn(COUNT, generator=torch.Generator().manual_seed(3)).double()


def logs_and_gradients(kernel: Any, loss: Tensor) -> Tensor:
    """The gradient of the logarithms of all hyper-parameters, in their order."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(kernel.parameters()))])


# -- regression -------------------------------------------------------------------------------------------------------

MATERN: Spec = [{"scale": 1.4, "matern": {"smoothness": 2.5, "length_scale": SCALES}}]


def our_process(kernel: Spec = MATERN, observed: bool = True) -> Tensors:
    gp = ExactGP(2, kernel, NOISE, standardize=False)
    gp.remember(points(COUNT), targets())
    nll = gp.nll()
    order = [p for n, p in gp.named_parameters() if n != "log_noise"]
    mean, variance, noisy = gp.eval()(points(NEW, 2))
    return {
        "evidence": -nll.detach(),
        "grad kernel": -torch.cat([g.flatten() for g in torch.autograd.grad(nll, order, retain_graph=True)]),
        "grad noise": -torch.autograd.grad(nll, gp.log_noise)[0],
        "mean": mean.detach(),
        "variance": variance.detach(),
        "observed variance": (noisy if observed else variance).detach(),
    }


def sklearn_process() -> Tensors:
    kernel = 1.4 * sk.Matern(SCALES, nu=2.5) + sk.WhiteKernel(NOISE**2)
    model = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(points(COUNT).numpy(), targets().numpy())
    evidence, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    mean, std = model.predict(points(NEW, 2).numpy(), return_std=True)
    found = {
        "evidence": np.asarray(evidence / COUNT),
        "grad kernel": gradient[:3] / COUNT,
        "grad noise": np.asarray(2 * gradient[3] / COUNT),  # of the standard deviation, not of its square
        "mean": mean,
        "variance": std**2 - NOISE**2,
        "observed variance": std**2,
    }
    return {name: torch.from_numpy(np.asarray(value)) for name, value in found.items()}


class Reference(gpytorch.models.ExactGP):
    """GPyTorch's exact process with the same kernel."""

    def __init__(self, likelihood: gpytorch.likelihoods.GaussianLikelihood) -> None:
        super().__init__(points(COUNT), targets(), likelihood)
        self.mean_module = gpytorch.means.ZeroMean()
        base = gpytorch.kernels.MaternKernel(2.5, ard_num_dims=2)
        self.covar_module = gpytorch.kernels.ScaleKernel(base)

    def forward(self, x: Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def gpytorch_process() -> Tensors:
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    model = Reference(likelihood).double()
    model.covar_module.outputscale, likelihood.noise = 1.4, NOISE**2
    model.covar_module.base_kernel.lengthscale = torch.tensor([SCALES], dtype=torch.float64)
    with gpytorch.settings.max_cholesky_size(10**9), gpytorch.settings.fast_pred_var(False):
        model.train()
        evidence = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)(model(points(COUNT)), targets())
        raw = [model.covar_module.raw_outputscale, model.covar_module.base_kernel.raw_lengthscale]
        noise = likelihood.noise_covar.raw_noise
        slopes = torch.autograd.grad(evidence, [*raw, noise])
        values = [model.covar_module.outputscale, torch.tensor(SCALES, dtype=torch.float64), likelihood.noise]
        logs = [
            g.flatten() / torch.sigmoid(r).flatten() * v for g, r, v in zip(slopes, [*raw, noise], values, strict=True)
        ]
        model.eval()
        likelihood.eval()
        latent = model(points(NEW, 2))
        found = {
            "evidence": evidence,
            "grad kernel": torch.cat(logs[:2]),
            "grad noise": 2 * logs[2][0],
            "mean": latent.mean,
            "variance": latent.variance,
            "observed variance": likelihood(latent).variance,
        }
    return {name: value.detach() for name, value in found.items()}


def our_leave_one_out(noisy: bool = True) -> Tensors:
    gp = ExactGP(2, MATERN, NOISE, standardize=False)
    gp.remember(points(COUNT), targets())
    mean, variance = gp.leave_one_out()
    return {"mean": mean.detach(), "variance": variance.detach() - (0 if noisy else NOISE**2)}


def sklearn_leave_one_out() -> Tensors:
    kernel, means, variances = 1.4 * sk.Matern(SCALES, nu=2.5) + sk.WhiteKernel(NOISE**2), [], []
    x, y = points(COUNT).numpy(), targets().numpy()
    for i in range(COUNT):
        rest = np.arange(COUNT) != i
        model = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(x[rest], y[rest])
        mean, std = model.predict(x[i : i + 1], return_std=True)
        means.append(mean[0])
        variances.append(std[0] ** 2)
    return {"mean": torch.tensor(means, dtype=torch.float64), "variance": torch.tensor(variances, dtype=torch.float64)}


# -- classification ---------------------------------------------------------------------------------------------------

SQUARED: Spec = [{"scale": 2.0, "rbf": {"length_scale": SCALES}}]


def our_laplace(moves: bool = True) -> Tensors:
    y = (targets() > 0).long()
    gp = LaplaceGP(2, SQUARED)
    gp.remember(points(COUNT), y)
    k = gp.kernel(gp.x, gp.x)
    mode = find_mode(k.detach(), gp.y)
    evidence = log_evidence(k, gp.y, mode)
    explicit = evidence
    if not moves:  # the mode as a constant: R. and W.'s equation 5.21 without its second sum
        root = (torch.sigmoid(mode) * torch.sigmoid(-mode)).sqrt()
        b = torch.eye(COUNT, dtype=torch.float64) + root[:, None] * k * root
        explicit = -mode @ torch.linalg.solve(k, mode) / 2 - torch.linalg.slogdet(b)[1] / 2
    mean, variance = gp.latent(points(NEW, 2))
    return {
        "evidence": evidence.detach(),
        "grad kernel": logs_and_gradients(gp.kernel, explicit),
        "latent mean": mean.detach(),
        "latent variance": variance.detach(),
    }


def sklearn_laplace() -> Tensors:
    kernel = 2.0 * sk.RBF(SCALES)
    model = GaussianProcessClassifier(kernel, optimizer=None, max_iter_predict=200)
    model.fit(points(COUNT).numpy(), (targets() > 0).long().numpy())
    evidence, gradient = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    mean, variance = model.latent_mean_and_variance(points(NEW, 2).numpy())
    found = {"evidence": evidence, "grad kernel": gradient, "latent mean": mean, "latent variance": variance}
    return {name: torch.from_numpy(np.asarray(value)) for name, value in found.items()}


def our_evidence_of_a_matrix(half: float = 0.5) -> Tensors:
    x, y = points(COUNT), targets().requires_grad_()
    k = (make_kernel(MATERN, 2)(x, x).detach() + 0.1 * torch.eye(COUNT, dtype=torch.float64)).requires_grad_()
    value = log_marginal_likelihood(k, y)
    grad_k, grad_y = torch.autograd.grad(value, [k, y])
    return {"evidence": value.detach(), "grad covariance": 2 * half * grad_k, "grad y": grad_y}


def torch_evidence_of_a_matrix() -> Tensors:
    x, y = points(COUNT), targets().requires_grad_()
    k = (make_kernel(MATERN, 2)(x, x).detach() + 0.1 * torch.eye(COUNT, dtype=torch.float64)).requires_grad_()
    value = torch.distributions.MultivariateNormal(0 * y, k, validate_args=False).log_prob(y)
    grad_k, grad_y = torch.autograd.grad(value, [k, y])
    return {"evidence": value.detach(), "grad covariance": (grad_k + grad_k.T) / 2, "grad y": grad_y}


CHECKS = [
    Check(
        name="gp/evidence",
        claim="the evidence of a covariance matrix and its closed-form gradient against MultivariateNormal",
        package="torch",
        ours=our_evidence_of_a_matrix,
        reference=torch_evidence_of_a_matrix,
        control=partial(our_evidence_of_a_matrix, half=1.0),
        mistake="the half of the gradient left out",
    ),
    Check(
        name="gp/exact",
        claim="evidence, gradients, predictive mean and both variances against GaussianProcessRegressor",
        package="scikit-learn",
        ours=our_process,
        reference=sklearn_process,
        control=partial(our_process, kernel=[{"scale": 1.4, "matern": {"smoothness": 1.5, "length_scale": SCALES}}]),
        mistake="another smoothness",
        tolerance=1e-8,
        why="the square of a standard deviation",
    ),
    Check(
        name="gp/exact_gpytorch",
        claim="evidence per datum, gradients, predictive mean and both variances against ExactGP by Cholesky",
        package="gpytorch",
        ours=our_process,
        reference=gpytorch_process,
        control=partial(our_process, observed=False),
        mistake="the band of the function for that of an observation (D2L 18.3)",
        tolerance=1e-8,
        why="GPyTorch's solves in prediction",
    ),
    Check(
        name="gp/leave_one_out",
        claim="leave-one-out by one factorization against twenty fits of GaussianProcessRegressor",
        package="scikit-learn",
        ours=our_leave_one_out,
        reference=sklearn_leave_one_out,
        control=partial(our_leave_one_out, noisy=False),
        mistake="the variance of the function for that of an observation",
        without="gradients: nothing is trained by it",
    ),
    Check(
        name="gp/laplace",
        claim="Laplace's evidence, its gradient, latent mean and variance against GaussianProcessClassifier",
        package="scikit-learn",
        ours=our_laplace,
        reference=sklearn_laplace,
        control=partial(our_laplace, moves=False),
        mistake="the gradient of a mode that does not move",
        tolerance=1e-8,
        why="scikit-learn ends its Newton steps at 1e-10 of the evidence",
    ),
]
