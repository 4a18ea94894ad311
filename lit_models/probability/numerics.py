"""Numerical linear algebra and calculus: eigenvectors, principal components, roots, integrals.

Goodfellow et al. 2.7, 2.12, 4.3 and 17.1; D2L 22.1 to 22.5. The book's appendix shows these ideas on paper or with
pictures; here each has its rate: the error of power iteration shrinks by the ratio of the two largest eigenvalues in
each step, Newton's method doubles the correct digits, and Monte Carlo's error falls with the root of the number of
samples in any dimension.
Departs from the book: 22.2 iterates a random matrix without a check; here the iteration ends when the direction no
longer changes, and a matrix with two eigenvalues of the largest absolute value is refused.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from common.messages import UserError


def power_iteration(matrix: Tensor, steps: int = 10_000, tolerance: float = 1e-13) -> tuple[Tensor, Tensor, int]:
    """The eigenvalue () of largest absolute value of a symmetric matrix (n, n), its vector (n,), the steps it took.

    Raises:
        UserError: A matrix that is not square and symmetric, or no convergence after so many steps (two eigenvalues of
            the same absolute value).
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not torch.allclose(matrix, matrix.T):
        raise UserError(f"the matrix of shape {tuple(matrix.shape)} is not symmetric: power iteration here needs it")
    generator = torch.Generator().manual_seed(0)
    matrix = matrix.double()
    vector = torch.randn(len(matrix), generator=generator, dtype=torch.float64)
    vector /= vector.norm()
    for step in range(1, steps + 1):
        image = matrix @ vector
        if image.norm() == 0:
            return image.new_zeros(()), vector, step
        turned = image / image.norm()
        turned = turned * (turned @ vector).sign()  # a negative eigenvalue turns the vector around in each step
        if (turned - vector).norm() < tolerance:
            return turned @ matrix @ turned, turned, step
        vector = turned
    raise UserError(f"no convergence after {steps} steps: the two largest eigenvalues have the same absolute value")


def eigenvectors(matrix: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """The eigenvalues (number,) of largest absolute value and their vectors (n, number).

    By power iteration and deflation: what was found is subtracted.
    """
    rest, values, vectors = matrix.double().clone(), [], []
    for _ in range(number):
        value, vector, _ = power_iteration(rest)
        rest = rest - value * torch.outer(vector, vector)
        values.append(value)
        vectors.append(vector)
    return torch.stack(values), torch.stack(vectors, 1)


def principal_components(x: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Variances (number,) and directions (D, number) of rows (N, D), by the singular values of the centered rows.

    The eigenvectors of the covariance are the same, but forming it squares the condition number: the small components
    lose their digits.

    Raises:
        UserError: More components than rows less one, or than columns.
    """
    if not 0 < number <= min(len(x) - 1, x.shape[1]):
        raise UserError(
            f"{number} components of {len(x)} rows with {x.shape[1]} columns: at most {min(len(x) - 1, x.shape[1])}"
        )
    x = x.double()
    _, singular, directions = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    return singular[:number].square() / (len(x) - 1), directions[:number].T


def newton_root(function: Callable[[Tensor], Tensor], start: float, steps: int = 50) -> tuple[float, list[float]]:
    """A root of a function of one number, and the distances |f| of the way there; its derivative is autograd's.

    Raises:
        UserError: A derivative of 0 on the way, or no root after so many steps.
    """
    x = torch.tensor(start, dtype=torch.float64)
    way: list[float] = []
    for _ in range(steps):
        x.requires_grad_()
        value = function(x)
        (derivative,) = torch.autograd.grad(value, x)
        x = x.detach()
        way.append(abs(float(value.detach())))
        if way[-1] < 1e-14:
            return float(x), way
        if float(derivative) == 0:
            raise UserError(f"the derivative at {float(x):.6g} is 0: start elsewhere")
        moved = x - value.detach() / derivative
        if moved == x:
            return float(x), way  # no closer number exists
        x = moved
    raise UserError(f"no root after {steps} steps from {start}: start closer to one")


def monte_carlo_integral(
    function: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, samples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """The integral over a box and its standard error.

    Args:
        function: (N, D) -> (N,).
        low, high: Corners (D,) of the box.
        samples: Uniform draws.
        seed: Of the draws.

    Raises:
        UserError: An empty box, or fewer than two samples.
    """
    if samples < 2 or bool((high <= low).any()):
        raise UserError(
            f"a box from {low.tolist()} to {high.tolist()} and {samples} samples: give high > low and at least 2"
        )
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(samples, len(low), generator=generator, dtype=torch.float64)
    values = function(low + (high - low) * unit) * (high - low).prod()
    return float(values.mean()), float(values.std() / samples**0.5)
