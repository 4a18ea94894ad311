"""Kernels of Gaussian processes against scikit-learn, GPyTorch and a quadrature."""

import math
from functools import partial

import gpytorch
import numpy as np
import torch
from scipy.special import erf
from sklearn.gaussian_process import kernels as sk

from lit_models.gp.kernels import Spec, make_kernel
from scripts.evidence.parity.gp import COUNT, SCALES, logs_and_gradients, points
from scripts.evidence.verify import Check, Tensors

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
]
