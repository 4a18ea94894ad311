"""Curvature by products against whole Hessians, minima under constraints against scipy's SLSQP, the watched network's
loss and gradients against torch.nn.
"""

from functools import partial
from typing import Any

import numpy as np
import scipy.optimize
import torch
from torch import Tensor, nn

from lit_models.optimization.constraints import augmented_lagrangian, onto_simplex, projected_gradient
from lit_models.optimization.curvature import Hessian
from lit_models.optimization.edge_of_stability import LitEdgeOfStability
from scripts.evidence.verify import Check, Tensors

SIZES = (3, 5, 2)


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# -- curvature ------------------------------------------------------------------------------------------------------


def watched() -> Any:
    """The task of the recipe with the network of the checks, and forty training rows."""
    task: Any = LitEdgeOfStability(
        num_features=SIZES[0], hidden_sizes=[SIZES[1]], num_outputs=SIZES[2], activation="tanh", products=200
    ).double()
    with torch.no_grad():
        for k, parameter in enumerate(task.net.parameters()):
            parameter.copy_(0.7 * draw(*parameter.shape, seed=k))
    task._rows = draw(40, SIZES[0]), draw(40, SIZES[2], seed=2)
    return task


def our_curvature() -> Tensors:
    task = watched()
    hessian = Hessian(task.loss, list(task.net.parameters()))
    loss = task.loss()
    loss.backward()
    found = {
        "loss": loss,
        "largest eigenvalues": hessian.largest_eigenvalues(3, steps=200),
        "sharpness": task.sharpness().double(),
        "along the gradient": torch.tensor(hessian.along_gradient(), dtype=torch.float64),
        "product": hessian.product(draw(len(hessian.gradient), seed=5)),
    }
    return {name: value.detach() for name, value in found.items()} | {
        f"grad {name}": p.grad for name, p in task.net.named_parameters()
    }


def whole_hessian(halved: bool = True) -> Tensors:
    """The same from torch.nn's layers and all second derivatives; without ``halved`` of the plain squared error."""
    task = watched()
    names, values = zip(*task.net.named_parameters(), strict=True)
    shapes = [v.shape for v in values]
    x, y = task._rows

    def loss(flat: Tensor) -> Tensor:
        parts = [part.view(shape) for part, shape in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)]
        first, bias, second, last = parts
        out = nn.functional.linear(torch.tanh(nn.functional.linear(x, first, bias)), second, last)
        return nn.functional.mse_loss(out, y) / (2 if halved else 1)

    flat = torch.cat([v.detach().flatten() for v in values]).requires_grad_()
    value = loss(flat)
    (gradient,) = torch.autograd.grad(value, flat)
    hessian = torch.autograd.functional.hessian(loss, flat)
    eigenvalues = torch.linalg.eigvalsh(hessian).flip(0)
    parts = gradient.split([s.numel() for s in shapes])
    return {
        "loss": value.detach(),
        "largest eigenvalues": eigenvalues[:3],
        "sharpness": eigenvalues[0],
        "along the gradient": gradient @ hessian @ gradient / (gradient @ gradient),
        "product": hessian @ draw(len(gradient), seed=5),
    } | {f"grad {n}": part.view(shape) for n, part, shape in zip(names, parts, shapes, strict=True)}


# -- constraints ----------------------------------------------------------------------------------------------------

RETURNS = draw(6, seed=9)
COVARIANCE = draw(8, 6, seed=8).T @ draw(8, 6, seed=8) / 8


def risk(x: Tensor) -> Tensor:
    """Variance minus return of a portfolio x (6,)."""
    return x @ COVARIANCE @ x / 2 - 0.5 * RETURNS @ x


def our_portfolio(short: bool = False) -> Tensors:
    """The minimum over distributions, by multipliers and by projection; ``short``: weights may be negative."""
    start, least = torch.full((6,), 1 / 6, dtype=torch.float64), -10.0 if short else 0.0

    def project(x: Tensor) -> Tensor:
        return x - (x.sum() - 1) / 6 if short else onto_simplex(x)

    found = augmented_lagrangian(risk, start, lambda x: least - x, lambda x: x.sum()[None] - 1, rounds=100)
    projected = projected_gradient(risk, start, project, steps=3000)
    return {"by multipliers": found.x, "by projection": projected, "simplex": project(RETURNS)}


def scipy_portfolio() -> Tensors:
    returns, covariance = RETURNS.numpy(), COVARIANCE.numpy()

    def minimum(function: Any, gradient: Any) -> Tensor:
        found = scipy.optimize.minimize(
            function, np.full(6, 1 / 6), jac=gradient, method="SLSQP", bounds=[(0, None)] * 6,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1, "jac": lambda x: np.ones(6)},
            options={"ftol": 1e-15, "maxiter": 1000},
        )  # fmt: skip
        return torch.from_numpy(found.x)

    portfolio = minimum(lambda x: x @ covariance @ x / 2 - 0.5 * returns @ x, lambda x: covariance @ x - 0.5 * returns)
    nearest = minimum(lambda x: ((x - returns) ** 2).sum(), lambda x: 2 * (x - returns))
    return {"by multipliers": portfolio, "by projection": portfolio, "simplex": nearest}


CHECKS = [
    Check(
        "optimization/edge_of_stability",
        "loss, gradients, largest eigenvalues and Hessian-vector products against the whole Hessian",
        "torch",
        our_curvature,
        whole_hessian,
        partial(whole_hessian, halved=False),
        "the squared error without its half: twice the curvature",
        tolerance=1e-6,
        why="the sharpness that is logged is in single precision",
    ),
    Check(
        "optimization/constraints",
        "a portfolio of weights that are at least 0 and sum to 1, by multipliers and by projections, against SLSQP",
        "scipy",
        our_portfolio,
        scipy_portfolio,
        partial(our_portfolio, short=True),
        "weights that may be negative",
        tolerance=1e-6,
        why="both iterate",
        without="gradients: the minimum is compared",
    ),
]
