"""The processes that GPyTorch computes, against their formulas written out: evidence, predictions, gradients of all raw
parameters. Exact, multitask, sparse variational, deep kernel.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lit_models.gp.deep_kernel import DeepKernel
from lit_models.gp.exact_cg import CGExactGP
from lit_models.gp.multitask import MultitaskGP
from lit_models.gp.svgp import SVGP
from scripts.evidence.parity.gp import COUNT, NEW, points, targets
from scripts.evidence.verify import Check, Tensors

JITTER = 1e-6  # GPyTorch's on the inducing points' covariance and on the variances
Raw = dict[str, Tensor]
Kernel = Callable[[Tensor, Tensor], Tensor]


def moved(net: Any) -> Any:
    """Parameters that are not where they began."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return net


def raw(net: nn.Module) -> Raw:
    return {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}


def with_gradients(loss: Tensor, named: Any, mean: Tensor, variance: Tensor, noisy: Tensor) -> Tensors:
    """The loss with its gradients by name, and a prediction."""
    loss.backward()
    grads = {f"grad {name}": p.grad for name, p in named if p.grad is not None}
    found = {"loss": loss, "mean": mean, "variance": variance, "observed variance": noisy}
    return {name: value.detach() for name, value in found.items()} | grads


def matern(a: Tensor, b: Tensor, scales: Tensor) -> Tensor:
    """Rasmussen and Williams, equation 4.17."""
    distance = ((a[:, None] - b) / scales).square().sum(-1).clamp(min=1e-30).sqrt() * math.sqrt(5)
    return (1 + distance + distance.square() / 3) * (-distance).exp()


def rbf(a: Tensor, b: Tensor, scales: Tensor) -> Tensor:
    return (-((a[:, None] - b) / scales).square().sum(-1) / 2).exp()


# -- exact ----------------------------------------------------------------------------------------------------------


def with_tasks(x: Tensor) -> Tensor:
    """Points with the number of a task in the last column."""
    return torch.cat([x[:, :1], (torch.arange(len(x)) % 3).double()[:, None]], 1)


def exact() -> tuple[Any, Tensor, Tensor]:
    """A process, its training points and new ones."""
    return moved(CGExactGP(2, "matern")), points(COUNT), points(NEW, 2)


def multitask() -> tuple[Any, Tensor, Tensor]:
    return moved(MultitaskGP(2, num_tasks=3, rank=2)), with_tasks(points(COUNT)), with_tasks(points(NEW, 2))


def our_exact(make: Callable[[], tuple[Any, Tensor, Tensor]]) -> Tensors:
    net, x, new = make()
    net.remember(x, targets())
    loss = net.train().nll()
    with torch.no_grad():
        prediction = net.eval()(new)
    return with_gradients(loss, net.named_parameters(), *prediction)


def exact_kernel(w: Raw) -> Kernel:
    scales = softplus(w["gp.covar_module.base_kernel.raw_lengthscale"])[0]
    size = softplus(w["gp.covar_module.raw_outputscale"])
    return lambda a, b: size * matern(a, b, scales)


def multitask_kernel(w: Raw, own: bool = True) -> Kernel:
    """Bonilla et al., equation 3; without ``own`` tasks have no variance of their own."""
    scales = softplus(w["gp.covar_module.kernels.0.raw_lengthscale"])[0]
    factor = w["gp.covar_module.kernels.1.covar_factor"]
    variances = softplus(w["gp.covar_module.kernels.1.raw_var"]) * own
    between = factor @ factor.T + torch.diag(variances)
    return lambda a, b: rbf(a[:, :1], b[:, :1], scales) * between[a[:, 1].long()][:, b[:, 1].long()]


def written_exact(
    make: Callable[[], tuple[Any, Tensor, Tensor]], kernel_of: Callable[[Raw], Kernel], forget: str = ""
) -> Tensors:
    """Rasmussen and Williams, equations 2.23, 2.24 and 2.30, by an inverse; ``forget``: the constant mean."""
    net, x, new = make()
    w = raw(net)
    kernel, y = kernel_of(w), targets()
    mean, std = y.mean(), y.std()
    noise = softplus(w["gp.likelihood.noise_covar.raw_noise"])[0] + 1e-4  # the least noise is added to the softplus
    constant = w["gp.mean_module.raw_constant"] * (forget != "mean")
    rest = (y - mean) / std - constant
    covariance = kernel(x, x) + noise * torch.eye(COUNT)
    inverse = torch.linalg.inv(covariance)
    loss = (rest @ inverse @ rest + torch.logdet(covariance) + COUNT * math.log(2 * math.pi)) / 2 / COUNT
    cross = kernel(new, x)
    variance = kernel(new, new).diagonal() - (cross @ inverse @ cross.T).diagonal()
    found = (constant + cross @ inverse @ rest) * std + mean, variance * std**2, (variance + noise) * std**2
    return with_gradients(loss, w.items(), *found)


# -- sparse ---------------------------------------------------------------------------------------------------------

ROWS = 3 * COUNT  # of which the points are a batch
INDUCING = 6


def svgp() -> Any:
    return begun(SVGP(2, INDUCING))


def deep_kernel() -> Any:
    return begun(DeepKernel(2, (5,), 3, INDUCING))


def begun(net: Any) -> Any:
    torch.manual_seed(1)
    net.begin(points(COUNT), targets())
    return moved(net)


def our_sparse(make: Callable[[], Any]) -> Tensors:
    net = make()
    loss = net.train().loss(points(COUNT), targets(), ROWS)
    with torch.no_grad():
        prediction = net.eval()(points(NEW, 2))
    return with_gradients(loss, net.named_parameters(), *prediction)


def features(w: Raw, x: Tensor, squashed: bool = True) -> Tensor:
    """The network of a deep kernel."""
    out = (x @ w["features.layers.1.weight"].T + w["features.layers.1.bias"]).clamp(min=0)
    out = out @ w["features.layers.4.weight"].T + w["features.layers.4.bias"]
    return out.tanh() if squashed else out


def written_sparse(
    make: Callable[[], Any], see: Callable[[Raw, Tensor], Tensor], kernel: Callable[..., Tensor], of_batch: bool = False
) -> Tensors:
    """Hensman et al., equation 4, with u = L v and q(v) Gaussian; ``of_batch``: its rows divide the divergence."""
    net = make()
    w, y = raw(net), targets()
    prefix = "gp.variational_strategy."
    center = w[f"{prefix}_variational_distribution.variational_mean"]
    root = w[f"{prefix}_variational_distribution.chol_variational_covar"].tril()
    scales = softplus(w["gp.covar_module.base_kernel.raw_lengthscale"])[0]
    size = softplus(w["gp.covar_module.raw_outputscale"])
    noise = softplus(w["likelihood.noise_covar.raw_noise"])[0] + 1e-4
    constant, places = w["gp.mean_module.raw_constant"], w[f"{prefix}inducing_points"]
    factor = torch.linalg.cholesky(size * kernel(places, places, scales) + JITTER * torch.eye(len(places)))

    def marginal(x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the function at each row."""
        weights = torch.linalg.inv(factor) @ (size * kernel(places, see(w, x), scales))  # (M, N)
        spread = root @ root.T - torch.eye(len(places))
        return constant + weights.T @ center, size + JITTER + (weights * (spread @ weights)).sum(0)

    mean, variance = marginal(points(COUNT))
    rest = (y - net.mean) / net.std - mean
    expected = -(math.log(2 * math.pi) + noise.log() + (rest.square() + variance) / noise) / 2
    covariance = root @ root.T
    divergence = (covariance.trace() + center @ center - len(center) - torch.logdet(covariance)) / 2
    loss = -expected.mean() + divergence / (COUNT if of_batch else ROWS)
    mean, variance = marginal(points(NEW, 2))
    found = mean * net.std + net.mean, variance * net.std**2, (variance + noise) * net.std**2
    return with_gradients(loss, w.items(), *found)


def as_it_is(w: Raw, x: Tensor) -> Tensor:
    return x


WHY = "GPyTorch computes distances by a matrix product"
CHECKS = [
    Check(
        "gp/exact_cg",
        "GPyTorch's process below max_cholesky against an inverse: evidence, gradients, predictions",
        "gpytorch",
        partial(our_exact, exact),
        partial(written_exact, exact, exact_kernel),
        partial(written_exact, exact, exact_kernel, "mean"),
        "a mean of zero",
        tolerance=1e-7,
        why=WHY,
    ),
    Check(
        "gp/multitask",
        "three tasks of rank two: kernel of places times covariance of tasks, written out",
        "gpytorch",
        partial(our_exact, multitask),
        partial(written_exact, multitask, multitask_kernel),
        partial(written_exact, multitask, partial(multitask_kernel, own=False)),
        "no variance of a task's own",
        tolerance=1e-7,
        why=WHY,
    ),
    Check(
        "gp/svgp",
        "the evidence lower bound of a batch, its gradients and predictions, written out",
        "gpytorch",
        partial(our_sparse, svgp),
        partial(written_sparse, svgp, as_it_is, matern),
        partial(written_sparse, svgp, as_it_is, matern, of_batch=True),
        "the divergence counted for each batch",
        tolerance=1e-7,
        why=WHY,
    ),
    Check(
        "gp/deep_kernel",
        "the same bound on the features of a network, with the gradients of its weights",
        "gpytorch",
        partial(our_sparse, deep_kernel),
        partial(written_sparse, deep_kernel, features, rbf),
        partial(written_sparse, deep_kernel, partial(features, squashed=False), rbf),
        "features that are not squashed",
        tolerance=1e-7,
        why=WHY,
    ),
]
