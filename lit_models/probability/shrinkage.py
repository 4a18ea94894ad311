"""Maximum a posteriori estimates of a linear regression: a Gaussian prior is ridge, a Laplace prior is the lasso.

Hoerl and Kennard 1970 (ridge); Tibshirani 1996 (lasso); Friedman, Hastie and Tibshirani 2010 (coordinate descent).
Goodfellow et al. 5.6.1 and 7.1. With Gaussian noise of variance s^2 the negative log-posterior is, up to a constant,

    ||y - X w||^2 / (2 s^2) + ||w||^2 / (2 p^2)      a Gaussian prior of deviation p
    ||y - X w||^2 / (2 s^2) + ||w||_1 / b            a Laplace prior of scale b

so both are least squares with a penalty: s^2 / p^2 for the squares, s^2 / b for the absolute values. The lasso sets
weights to zero exactly, which ridge never does: the Laplace prior is not smooth at 0. The mean of its posterior has
no zeros, only the mode does; under the Gaussian prior mode and mean are the same.
"""

import torch
from torch import Tensor

from common.messages import UserError


def design(x: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Both in double precision, if they can be fitted.

    Raises:
        UserError: An empty sample, rows that do not match, or a penalty below 0.
    """
    if len(x) == 0 or len(x) != len(y):
        raise UserError(f"{len(x)} rows and {len(y)} targets: give each row its target, and at least one")
    if not penalty >= 0:
        raise UserError(f"the penalty is {penalty}: it is at least 0")
    return x.double(), y.double()


def ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The weights (D,) that minimize ||y - X w||^2 / 2 + penalty / 2 ||w||^2, in closed form.

    Args:
        x: Features (N, D); a column of ones is an intercept, and is penalized too.
        y: Targets (N,).
        penalty: Noise variance over the prior's variance.
    """
    x, y = design(x, y, penalty)
    return torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)


def soft_threshold(value: Tensor, by: float) -> Tensor:
    """Toward zero by ``by``, and zero within: the minimum of (w - value)^2 / 2 + by |w|."""
    return value.sign() * (value.abs() - by).clamp(min=0)


def lasso(x: Tensor, y: Tensor, penalty: float, sweeps: int = 10_000, tolerance: float = 1e-12) -> Tensor:
    """The weights (D,) that minimize ||y - X w||^2 / 2 + penalty ||w||_1, by cyclic coordinate descent.

    Each coordinate has a minimum in closed form when the others are fixed: the soft threshold of its correlation with
    the residual.

    Args:
        x: Features (N, D).
        y: Targets (N,).
        penalty: Noise variance over the prior's scale.
        sweeps: At most so many passes over the coordinates.
        tolerance: It ends when no weight changed by more than this in a pass.
    """
    x, y = design(x, y, penalty)
    weights = x.new_zeros(x.shape[1])
    squares = x.square().sum(0)
    residual = y.clone()
    for _ in range(sweeps):
        largest = 0.0
        for j in range(x.shape[1]):
            if squares[j] == 0:
                continue  # a column of zeros explains nothing: its weight stays 0
            old = weights[j].clone()
            weights[j] = soft_threshold(x[:, j] @ residual + squares[j] * old, penalty) / squares[j]
            residual += x[:, j] * (old - weights[j])
            largest = max(largest, float((weights[j] - old).abs()))
        if largest <= tolerance:
            break
    return weights


def largest_penalty(x: Tensor, y: Tensor) -> float:
    """The penalty from which on all of the lasso's weights are zero: the largest correlation of a column with y."""
    x, y = design(x, y, 0.0)
    return float((x.T @ y).abs().max())
