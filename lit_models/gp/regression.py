"""The equations of Gaussian process regression: Cholesky, marginal likelihood, prediction, leave-one-out, samples.

Rasmussen and Williams 2006, algorithm 2.1 and equations 5.9 (gradient) and 5.10 to 5.12 (leave-one-out). D2L 18.3.
Departs from the book: a Cholesky factor in the place of the inverse and of the determinant, which overflows at some
hundred points; the bands are standard deviations (the book draws twice the variance, which is right only where the
variance is one), and that of an observation has the noise in it.
"""

import math
import os
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError

#: What is added to the diagonal, one after the other, in units of its mean, until the matrix has a Cholesky factor.
LADDER = (0.0, 1e-12, 1e-10, 1e-8, 1e-6)
MATRICES = 6  # (N, N) in double precision that a training step holds at once


def safe_cholesky(matrix: Tensor) -> Tensor:
    """The lower Cholesky factor of a covariance matrix (N, N), with as little jitter of the ladder as is enough.

    Raises:
        UserError: Even the largest jitter is not enough; the message has the smallest eigenvalue.
    """
    size = matrix.diagonal().mean() if len(matrix) else matrix.new_ones(())
    for jitter in LADDER:
        more = torch.diagonal_scatter(matrix, matrix.diagonal() + jitter * size) if jitter else matrix
        factor, info = torch.linalg.cholesky_ex(more)
        if int(info) == 0:
            return factor
    if not bool(matrix.isfinite().all()):
        raise UserError("the covariance matrix is not finite: look at the inputs, or give a smaller learning rate")
    least = float(torch.linalg.eigvalsh(matrix)[0])
    raise UserError(
        f"the covariance matrix of {len(matrix)} points is not positive definite: its smallest eigenvalue is "
        f"{least:.3g}, of a mean of {float(size):.3g}; give more noise (model.noise) or leave out repeated points"
    )


class MarginalLikelihood(torch.autograd.Function):
    """log N(y; 0, K), K (N, N) with the noise, with its gradient in closed form: (a a^T - K^-1) / 2, a = K^-1 y.

    Automatic differentiation of the factor would solve with it several times more.
    """

    @staticmethod
    def forward(ctx: Any, covariance: Tensor, y: Tensor) -> Tensor:
        factor = safe_cholesky(covariance)
        alpha = torch.cholesky_solve(y[:, None], factor)[:, 0]
        ctx.save_for_backward(factor, alpha)
        return -(y @ alpha) / 2 - factor.diagonal().log().sum() - len(y) / 2 * math.log(2 * math.pi)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        factor, alpha = ctx.saved_tensors
        inverse = torch.cholesky_inverse(factor)
        return grads[0] / 2 * (torch.outer(alpha, alpha) - inverse), -grads[0] * alpha


def log_marginal_likelihood(covariance: Tensor, y: Tensor) -> Tensor:
    """log N(y; 0, covariance) in nats, of all N points together; covariance (N, N) has the noise on its diagonal."""
    return MarginalLikelihood.apply(covariance, y)  # type: ignore[no-untyped-call]


def estimated_log_likelihood(covariance: Tensor, noise: Tensor, y: Tensor) -> Tensor:
    """The same by conjugate gradients and random probe vectors, for many points: products in the place of a factor.

    Gardner et al. 2018, through GPyTorch's linear operators. Its gradient is exact on average only.

    Args:
        covariance: Of the function (N, N), without the noise.
        noise: Its variance (); the larger, the fewer products are needed.
        y: (N,).
    """
    import gpytorch
    from linear_operator import to_linear_operator

    whole = to_linear_operator(covariance).add_diagonal(noise.expand(len(y)))
    with gpytorch.settings.max_cholesky_size(0):
        square, logdet = whole.inv_quad_logdet(inv_quad_rhs=y[:, None], logdet=True)
    return -(square + logdet + len(y) * math.log(2 * math.pi)) / 2


def condition(cross: Tensor, prior: Tensor, factor: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (M,) of the function at new points.

    Args:
        cross: k(training, new) (N, M).
        prior: k(new_i, new_i) (M,).
        factor: Cholesky factor (N, N) of the training covariance with noise.
        alpha: That covariance's inverse times y (N,).
    """
    v = torch.linalg.solve_triangular(factor, cross, upper=False)  # (N, M)
    return cross.T @ alpha, (prior - v.square().sum(0)).clamp(min=0)


def leave_one_out(covariance: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (N,) of each observation given all others, from one factorization instead of N."""
    factor = safe_cholesky(covariance)
    alpha = torch.cholesky_solve(y[:, None], factor)[:, 0]
    precision = torch.cholesky_inverse(factor).diagonal()
    return y - alpha / precision, 1 / precision


def sample(covariance: Tensor, count: int, mean: Tensor | float = 0.0) -> Tensor:
    """``count`` draws (count, N) of N(mean, covariance), from torch's random numbers.

    The jitter that a smooth kernel needs here is 1e-8 of the variance, a ten thousandth of a standard deviation.
    """
    eye = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    factor = safe_cholesky(covariance + 1e-8 * covariance.diagonal().mean() * eye)
    return torch.randn(count, len(covariance), dtype=covariance.dtype, device=covariance.device) @ factor.T + mean


@torch.no_grad()
def likeliest(net: Any, starts: int) -> dict[str, Tensor]:
    """The likeliest of ``starts`` hyper-parameters: the present ones, and others with factors drawn around them.

    A factor is e^z, z normal with standard deviation 1, drawn from a generator of its own. ``net`` has ``nll`` and
    parameters that are logarithms, or nearly.
    """
    generator = torch.Generator().manual_seed(0)
    begin = {name: p.detach().clone() for name, p in net.named_parameters()}
    best, least = begin, float(net.nll())
    for _ in range(starts - 1):
        drawn = {n: p + torch.randn(p.shape, generator=generator, dtype=p.dtype).to(p) for n, p in begin.items()}
        net.load_state_dict(drawn, strict=False)
        try:
            loss = float(net.nll())
        except UserError:  # hyper-parameters that nobody can compute with
            continue
        if loss < least:
            best, least = drawn, loss
    return best


def refuse_too_many(x: Tensor, remedy: str) -> None:
    """Refuses training rows whose matrices do not fit into the memory of their device.

    Args:
        x: The rows (N, F).
        remedy: What to do instead.

    Raises:
        UserError: It says how much they would take.
    """
    if x.device.type == "cuda":
        where, has = "this GPU", torch.cuda.mem_get_info(x.device)[1]
    else:
        where, has = "this machine", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if (need := MATRICES * 8 * len(x) ** 2) > has:
        raise UserError(
            f"an exact Gaussian process of {len(x):,} rows needs {need / 2**30:,.0f} GiB, {where} has "
            f"{has / 2**30:,.0f}: {remedy}"
        )
