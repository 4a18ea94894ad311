"""Parametric distributions: their log-density, their maximum-likelihood estimate in closed form, samples.

Goodfellow et al. 3.9 and 5.5; D2L 22.6 to 22.8. A row x (D,) has independent columns, except under the full-covariance
Gaussian. Parameters are unconstrained (logits, logarithms, a Cholesky factor), so that any optimizer can move them, and
each class has the estimate that gradient descent must reach (``fit``).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError


class Distribution(nn.Module):
    """Rows x (B, num_features) -> log-density (B,), by ``forward`` and ``log_prob``.

    Args:
        num_features: Columns D of a row.
    """

    def __init__(self, num_features: int = 1) -> None:
        super().__init__()
        self.num_features = num_features

    def log_prob(self, x: Tensor) -> Tensor:
        """The log-density (B,), in nats, of rows x (B, D)."""
        raise NotImplementedError

    def fit(self, x: Tensor) -> None:
        """Sets the parameters to those with the largest likelihood of rows x (N, D).

        Raises:
            UserError: A value that the distribution cannot have, or rows that do not determine the parameters.
        """
        raise NotImplementedError

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Rows (count, D)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.log_prob(x)


def refuse(wrong: Tensor, what: str) -> None:
    """Raises a ``UserError`` for the first entry of x (N, D) that is ``wrong``."""
    if bool(wrong.any()):
        row, column = wrong.nonzero()[0].tolist()
        raise UserError(f"row {row}, column {column} of the data: {what}")


def uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform numbers in (0, 1), drawn on the CPU, in the type and on the device of another tensor."""
    u = torch.rand(shape, generator=generator, dtype=torch.float64).clamp(1e-300, 1 - 1e-16)
    return u.to(like)


class Bernoulli(Distribution):
    """0 or 1 with probability sigmoid(logit)."""

    def __init__(self, num_features: int = 1) -> None:
        super().__init__(num_features)
        self.logit = nn.Parameter(torch.zeros(num_features))

    def log_prob(self, x: Tensor) -> Tensor:
        return (x * self.logit - F.softplus(self.logit)).sum(1)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        refuse((x != 0) & (x != 1), "a Bernoulli variable is 0 or 1")
        mean = x.mean(0)
        refuse(((mean == 0) | (mean == 1))[None], "all rows are equal, the estimated logit is infinite: add rows")
        self.logit.copy_(mean.logit())

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        u = uniform((count, self.num_features), self.logit, generator)
        return (u < self.logit.sigmoid()).to(self.logit)


class Categorical(Distribution):
    """A whole number from 0 to ``num_values`` - 1 in each column.

    Args:
        num_features: Columns D of a row.
        num_values: How many values a column can have.
    """

    def __init__(self, num_features: int = 1, num_values: int = 2) -> None:
        super().__init__(num_features)
        self.logits = nn.Parameter(torch.zeros(num_features, num_values))

    def log_prob(self, x: Tensor) -> Tensor:
        log_p = self.logits.log_softmax(1).expand(len(x), -1, -1)  # (B, D, K)
        return log_p.gather(2, x.long()[:, :, None])[:, :, 0].sum(1)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        values = self.logits.shape[1]
        refuse((x < 0) | (x >= values) | (x != x.floor()), f"a categorical variable is 0 to {values - 1}")
        frequency = F.one_hot(x.long(), values).to(self.logits).mean(0)  # (D, K)
        if bool((frequency == 0).any()):
            column, value = (frequency == 0).nonzero()[0].tolist()
            raise UserError(
                f"column {column} of the data: the value {value} never occurs: its estimated logit is infinite"
            )
        self.logits.copy_(frequency.log())

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        u = uniform((count, self.num_features, 1), self.logits, generator)
        edges = self.logits.softmax(1).cumsum(1)[:, :-1]  # (D, K - 1)
        return (u > edges).sum(2).to(self.logits)


class Poisson(Distribution):
    """A count with mean exp(log_rate)."""

    def __init__(self, num_features: int = 1) -> None:
        super().__init__(num_features)
        self.log_rate = nn.Parameter(torch.zeros(num_features))

    def log_prob(self, x: Tensor) -> Tensor:
        return (x * self.log_rate - self.log_rate.exp() - torch.lgamma(x + 1)).sum(1)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        refuse((x < 0) | (x != x.floor()), "a count is a whole number of at least 0")
        refuse((x.mean(0) == 0)[None], "all counts are 0, the estimated logarithm of the rate is infinite")
        self.log_rate.copy_(x.mean(0).log())

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        rate = self.log_rate.detach().exp().cpu().expand(count, -1)
        return torch.poisson(rate, generator=generator).to(self.log_rate)


class Exponential(Distribution):
    """A waiting time with rate exp(log_rate): density rate exp(-rate x) for x >= 0."""

    def __init__(self, num_features: int = 1) -> None:
        super().__init__(num_features)
        self.log_rate = nn.Parameter(torch.zeros(num_features))

    def log_prob(self, x: Tensor) -> Tensor:
        return (self.log_rate - x * self.log_rate.exp()).sum(1)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        refuse(x < 0, "an exponential variable is at least 0")
        refuse((x.mean(0) == 0)[None], "all values are 0, the estimated rate is infinite")
        self.log_rate.copy_(-x.mean(0).log())

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        u = uniform((count, self.num_features), self.log_rate, generator)
        return -u.log() / self.log_rate.exp()


class Laplace(Distribution):
    """Density exp(-|x - location| / scale) / (2 scale): its estimates are the median and the mean distance from it."""

    def __init__(self, num_features: int = 1) -> None:
        super().__init__(num_features)
        self.location = nn.Parameter(torch.zeros(num_features))
        self.log_scale = nn.Parameter(torch.zeros(num_features))

    def log_prob(self, x: Tensor) -> Tensor:
        distance = (x - self.location).abs() / self.log_scale.exp()
        return (-distance - self.log_scale - math.log(2)).sum(1)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        ordered = x.sort(0).values
        middle = (ordered[(len(x) - 1) // 2] + ordered[len(x) // 2]) / 2  # of an even number: any point between
        distance = (x - middle).abs().mean(0)
        refuse((distance == 0)[None], "all values are equal, the estimated scale is 0")
        self.location.copy_(middle)
        self.log_scale.copy_(distance.log())

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        u = uniform((count, self.num_features), self.location, generator) - 0.5
        return self.location - self.log_scale.exp() * u.sign() * torch.log1p(-2 * u.abs())


class Gaussian(Distribution):
    """A Gaussian with any covariance L L', where L is lower triangular with a positive diagonal.

    Args:
        num_features: Columns D of a row.
    """

    def __init__(self, num_features: int = 1) -> None:
        super().__init__(num_features)
        self.mean = nn.Parameter(torch.zeros(num_features))
        self.log_diagonal = nn.Parameter(torch.zeros(num_features))
        self.below = nn.Parameter(torch.zeros(num_features, num_features))  # only what is below the diagonal is used

    def cholesky(self) -> Tensor:
        """L (D, D)."""
        return self.below.tril(-1) + self.log_diagonal.exp().diag()

    def log_prob(self, x: Tensor) -> Tensor:
        z = torch.linalg.solve_triangular(self.cholesky(), (x - self.mean).T, upper=False)  # (D, B)
        constant = self.num_features / 2 * math.log(2 * math.pi)
        return -z.square().sum(0) / 2 - self.log_diagonal.sum() - constant

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        mean = x.mean(0)
        centered = x - mean
        factor = cholesky_of(centered.T @ centered / len(x))  # 1 / N, not 1 / (N - 1): the largest likelihood is biased
        self.mean.copy_(mean)
        self.log_diagonal.copy_(factor.diagonal().log())
        self.below.copy_(factor.tril(-1))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        z = torch.randn(count, self.num_features, generator=generator, dtype=torch.float64).to(self.mean)
        return self.mean + z @ self.cholesky().T


def cholesky_of(covariance: Tensor) -> Tensor:
    """The lower Cholesky factor (D, D).

    Raises:
        UserError: The covariance is singular; the message names the first column that depends on those before it.
    """
    factor, info = torch.linalg.cholesky_ex(covariance)
    room = 10 * len(covariance) * torch.finfo(covariance.dtype).eps * covariance.diagonal()  # for rounding
    small = factor.diagonal().square() <= room
    if int(info):
        small[int(info) - 1] = True
    if bool(small.any()):
        raise UserError(
            f"the covariance is singular: column {int(small.nonzero()[0])} is a combination of the columns before it "
            "or does not vary; leave it out or give more rows"
        )
    return factor
