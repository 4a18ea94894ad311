"""Curvature of a loss without its Hessian: products, largest eigenvalues, noise of the gradient, slices.

Pearlmutter 1994 (Hessian-vector products); Lanczos 1950; Goodfellow et al. 4.3.1, 8.2.1 and 8.6; Cohen et al. 2021
(sharpness); McCandlish et al. 2018 (noise scale); Li et al. 2018 (filter normalization). The Hessian of n parameters
has n^2 numbers, but its product with a vector costs one more backward pass, and the eigenvalues that matter are the
largest: a few tens of products find them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from common.messages import UserError


class Hessian:
    """The second derivatives of a loss, seen through products.

    The graph of the gradient is kept, so that every product costs one backward pass.

    Args:
        loss: Computes the loss (), the same each time.
        params: With respect to which it is differentiated: n numbers in all.
    """

    def __init__(self, loss: Callable[[], Tensor], params: Sequence[Tensor]) -> None:
        self.params = [p for p in params if p.requires_grad]
        with torch.enable_grad():
            grads = torch.autograd.grad(
                loss(), self.params, create_graph=True, allow_unused=True, materialize_grads=True
            )
        self.flat = torch.cat([g.flatten() for g in grads])

    @property
    def gradient(self) -> Tensor:
        """The gradient (n,)."""
        return self.flat.detach()

    def product(self, vector: Tensor) -> Tensor:
        """H v (n,): the derivative of (gradient . v)."""
        if self.flat.grad_fn is None:  # a loss that is linear in the parameters
            return torch.zeros_like(vector)
        inner = self.flat @ vector
        parts = torch.autograd.grad(inner, self.params, retain_graph=True, allow_unused=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts]).detach()

    def along_gradient(self) -> float:
        """g^T H g / g^T g: the curvature that a step down the gradient meets (Goodfellow et al. 8.2.1).

        A step of rate e changes the loss by -e g^T g + e^2 / 2 g^T H g: above a rate of 2 over this, it rises.
        """
        g = self.gradient
        return float(g @ self.product(g) / (g @ g).clamp(min=torch.finfo(g.dtype).tiny))

    def largest_eigenvalues(self, number: int = 1, steps: int = 30, seed: int = 0) -> Tensor:
        """The largest eigenvalues (number,), the largest first."""
        return lanczos(self.product, self.flat.detach(), steps, seed).flip(0)[:number]


def lanczos(product: Callable[[Tensor], Tensor], like: Tensor, steps: int = 30, seed: int = 0) -> Tensor:
    """Approximate eigenvalues of a symmetric matrix in rising order, at most ``steps``; the outer ones are best.

    Each product extends an orthonormal basis in which the matrix is tridiagonal; its eigenvalues approach those of the
    matrix. All earlier vectors are projected out again (twice), since rounding would otherwise bring copies of large
    eigenvalues.

    Args:
        product: v (n,) -> A v.
        like: A vector (n,) of the same length, kind and device.
        steps: Products.
        seed: Of the first vector.

    Raises:
        UserError: Fewer than one step.
    """
    if steps < 1:
        raise UserError(f"lanczos with {steps} steps: give at least 1")
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(len(like), generator=generator, dtype=torch.float64).to(like)
    basis = [first / first.norm()]
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    for _ in range(min(steps, len(like))):
        image = product(basis[-1])
        diagonal.append(image @ basis[-1])
        stacked = torch.stack(basis)
        for _ in range(2):
            image = image - stacked.T @ (stacked @ image)
        size = image.norm()
        if size <= 1e-6 * torch.stack(diagonal).abs().max():
            break  # the basis spans what the first vector can reach
        beside.append(size)
        basis.append(image / size)
    off = torch.stack(beside[: len(diagonal) - 1]) if len(diagonal) > 1 else like.new_zeros(0)
    matrix = torch.diag(torch.stack(diagonal)) + torch.diag(off, 1) + torch.diag(off, -1)
    return torch.linalg.eigvalsh(matrix.double()).to(like)


def gradient_noise_scale(small: float, large: float, small_rows: int, large_rows: int) -> float:
    """The simple noise scale tr(S) / |G|^2 in rows, from the squared norms of gradients of two batch sizes.

    McCandlish et al. 2018, appendix A.1. S is the covariance of one row's gradient, G the true gradient. Batches much
    smaller than it are mostly noise, and twice the rows halve the steps; batches much larger are mostly the same
    gradient.

    Args:
        small, large: Mean of |g|^2 over batches of either size.
        small_rows, large_rows: Rows of either.

    Raises:
        UserError: The sizes are not in this order.
    """
    if not 0 < small_rows < large_rows:
        raise UserError(f"batches of {small_rows} and {large_rows} rows: the first must be smaller than the second")
    squared = (large_rows * large - small_rows * small) / (large_rows - small_rows)
    noise = (small - large) / (1 / small_rows - 1 / large_rows)
    return noise / squared if squared > 0 else float("inf")


def filter_direction(params: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """A random direction with a part for each parameter, each filter as long as the parameter's own (Li et al., 4.1).

    A network with ReLUs does not change when a layer is multiplied by ten and the next divided by it; directions that
    are not normalized would make the first look flat. Biases and other vectors have no filters and stay.
    """
    direction = []
    for p in params:
        part = torch.randn(p.shape, generator=generator).to(p)
        if p.ndim < 2:
            part.zero_()
        else:
            rows = part.flatten(1)
            part = (rows * p.detach().flatten(1).norm(dim=1, keepdim=True) / rows.norm(dim=1, keepdim=True)).view_as(p)
        direction.append(part)
    return direction


@torch.no_grad()
def slice_of(
    loss: Callable[[], Tensor], params: Sequence[Tensor], direction: Sequence[Tensor], places: Tensor
) -> Tensor:
    """The loss (N,) at the parameters plus each of ``places`` (N,) times a direction; the parameters are put back."""
    kept = [p.detach().clone() for p in params]
    found = []
    try:
        for place in places.tolist():
            for p, start, part in zip(params, kept, direction, strict=True):
                p.copy_(start + place * part)
            found.append(loss().detach())
    finally:
        for p, start in zip(params, kept, strict=True):
            p.copy_(start)
    return torch.stack(found)


def changes_along_gradient(
    loss: Callable[[], Tensor], params: Sequence[Tensor], rates: Sequence[float]
) -> list[tuple[float, float]]:
    """How the gradient and the loss change over a step along the gradient (Santurkar et al. 2018), for each rate.

    Args:
        loss: Computes the loss (), the same each time.
        params: With respect to which it is differentiated; they are as before in the end.
        rates: Lengths of the step, in gradients.

    Returns:
        For each rate e: |g(w - e g) - g(w)| / |e g|, and the loss above its tangent, L(w - e g) - L(w) + e g^T g, over
        |e g|^2 / 2. Of a quadratic loss the second is g^T H g / g^T g and the first at least that.

    Raises:
        UserError: A rate that is not above 0.
    """
    if any(rate <= 0 for rate in rates):
        raise UserError(f"rates {list(rates)}: give numbers above 0")

    def look() -> tuple[Tensor, list[Tensor]]:
        with torch.enable_grad():
            value = loss()
            return value.detach(), [g.detach() for g in torch.autograd.grad(value, params)]

    def norm(parts: Sequence[Tensor]) -> float:
        return float(torch.stack([part.square().sum() for part in parts]).sum().sqrt())

    before = [p.detach().clone() for p in params]
    here, gradient = look()
    size, found = norm(gradient), []
    for rate in rates:
        with torch.no_grad():
            for p, old, g in zip(params, before, gradient, strict=True):
                p.copy_(old - rate * g)
        there, moved = look()
        change = norm([new - g for new, g in zip(moved, gradient, strict=True)])
        rise = float(there - here) + rate * size**2
        found.append((change / (rate * size), 2 * rise / (rate * size) ** 2))
    with torch.no_grad():
        for p, old in zip(params, before, strict=True):
            p.copy_(old)
    return found
