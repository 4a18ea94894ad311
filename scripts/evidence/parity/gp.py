"""Gaussian processes against scikit-learn and GPyTorch: kernels, evidence and gradient, predictions, Laplace."""

import math
from functools import partial
from typing import Any

import gpytorch
import numpy as np
import torch
from scipy.special import erf
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


# -- kernels ----------------------------------------------------------------------------------------------------------

SPECS: dict[str, Spec] = {
    "rbf": [{"scale": None, "rbf": {"length_scale": SCALES}}],
    "matern 0.5": [{"scale": None, "matern": {"smoothness": 0.5, "length_scale": SCALES}}],
    "matern 1.5": [{"scale": None, "matern": {"smoothness": 1.5, "length_scale": SCALES}}],
    "matern 2.5": [{"scale": None, "matern": {"smoothness": 2.5, "length_scale": SCALES}}],
    "linear": [{"scale": None, "linear": {"bias": 0.36}}],
    "sum of products": [{"scale": 2.0, "rbf": {"length_scale": SCALES}}, {"scale": 0.5, "rbf": {"length_scale": 3.0}}],
}
ONE_COLUMN: dict[str, Spec] = {
    "periodic": [{"scale": None, "periodic": {"length_scale": 1.3, "period": 0.7}}],
    "rational quadratic": [{"scale": None, "rational_quadratic": {"length_scale": 1.3, "alpha": 0.8}}],
}


def our_kernels(squared: bool = False) -> Tensors:
    """Values, and gradients of the sum with respect to logarithms; ``squared``: the first is the book's."""
    found: Tensors = {}
    for name, spec in (SPECS | ONE_COLUMN).items():
        columns = 1 if name in ONE_COLUMN else 2
        if squared and name == "rbf":
            spec = [{"scale": None, "rbf": {"length_scale": [s**0.5 for s in SCALES]}}]
        kernel, x = make_kernel(spec, columns), points(COUNT)[:, :columns]
        k = kernel(x, x)
        found[name] = k.detach()
        if name in ("rbf", "matern 0.5", "matern 1.5", "matern 2.5"):
            found[f"grad {name}"] = logs_and_gradients(kernel, k.sum())
    return found


def sklearn_kernels() -> Tensors:
    kernels = {
        "rbf": sk.RBF(SCALES),
        **{f"matern {nu}": sk.Matern(SCALES, nu=nu) for nu in (0.5, 1.5, 2.5)},
        "linear": sk.DotProduct(0.6),
        "sum of products": 2.0 * sk.RBF(SCALES) + 0.5 * sk.RBF([3.0, 3.0]),
        "periodic": sk.ExpSineSquared(1.3, 0.7),
        "rational quadratic": sk.RationalQuadratic(1.3, 0.8),
    }
    found: Tensors = {}
    for name, kernel in kernels.items():
        x = points(COUNT).numpy()[:, : 1 if name in ONE_COLUMN else 2]
        k, gradient = kernel(x, eval_gradient=True)
        found[name] = torch.from_numpy(k)
        if name in ("rbf", "matern 0.5", "matern 1.5", "matern 2.5"):
            found[f"grad {name}"] = torch.from_numpy(gradient.sum((0, 1)))
    return found


def our_mixture(turns: float = 1.0) -> Tensors:
    kernel, x = make_kernel([{"scale": None, "spectral_mixture": {"num_mixtures": 3}}]), points(COUNT)[:, :1]
    with torch.no_grad():
        kernel.get_parameter("log_frequency").add_(math.log(turns))
    k = kernel(x, x)
    return {"k": k.detach(), "grad weights": torch.autograd.grad(k.sum(), kernel.get_parameter("log_weight"))[0]}


def gpytorch_mixture() -> Tensors:
    ours = make_kernel([{"scale": None, "spectral_mixture": {"num_mixtures": 3}}]).hyperparameters()
    kernel = gpytorch.kernels.SpectralMixtureKernel(num_mixtures=3).double()
    kernel.mixture_weights, kernel.mixture_means = ours["weight"], ours["frequency"][:, None, :]
    kernel.mixture_scales = ours["width"][:, None, :]
    k = kernel(points(COUNT)[:, :1]).to_dense()
    raw = kernel.raw_mixture_weights
    gradient = torch.autograd.grad(k.sum(), raw)[0] / torch.sigmoid(raw) * ours["weight"]  # softplus, then a logarithm
    return {"k": k.detach(), "grad weights": gradient.detach()}


def our_arcsine(bias: float = 0.5) -> Tensors:
    x = 0.5 * points(6)
    return {"k": make_kernel([{"scale": None, "arcsine": {"bias": bias, "slope": 0.4}}], 2)(x, x).detach()}


def quadrature_arcsine() -> Tensors:
    """The mean of erf(u) erf(v) over the normal distribution of two units' inputs, by Gauss-Hermite quadrature."""
    x = 0.5 * points(6).numpy()
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    s = 0.5 + 0.4 * x @ x.T
    k = np.zeros((6, 6))
    for i in range(6):
        for j in range(6):
            u = np.sqrt(s[i, i]) * nodes
            rest = np.sqrt(max(0.0, s[j, j] - s[i, j] ** 2 / s[i, i]))
            v = s[i, j] / s[i, i] * u[:, None] + rest * nodes
            k[i, j] = weights * erf(u) @ erf(v) @ weights
    return {"k": torch.from_numpy(k)}


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
        name="gp/kernels",
        claim="RBF, Matern, linear, periodic and rational quadratic kernels, a sum of products, and gradients with "
        "respect to length-scales, against sklearn.gaussian_process.kernels",
        package="scikit-learn",
        ours=our_kernels,
        reference=sklearn_kernels,
        control=partial(our_kernels, squared=True),
        mistake="the length-scale taken as its square (D2L 18.3)",
    ),
    Check(
        name="gp/spectral_mixture",
        claim="the spectral mixture kernel and the gradient of its weights against SpectralMixtureKernel, of one "
        "column (of more, GPyTorch multiplies the columns' sums)",
        package="gpytorch",
        ours=our_mixture,
        reference=gpytorch_mixture,
        control=partial(our_mixture, turns=2 * math.pi),
        mistake="frequencies in radians instead of turns",
    ),
    Check(
        name="gp/arcsine",
        claim="the kernel of infinitely many erf units against the mean of their products by quadrature",
        package="scipy",
        ours=our_arcsine,
        reference=quadrature_arcsine,
        control=partial(our_arcsine, bias=1.0),
        mistake="the bias's variance as that of the weights",
        tolerance=1e-8,
        why="of the quadrature",
        without="gradients: those of the formula are compared with differences in the tests",
    ),
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
