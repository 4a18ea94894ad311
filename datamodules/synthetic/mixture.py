"""Points in the plane from a mixture of Gaussians, whose density is known exactly at every noise level.

A point of a mixture, multiplied by a and with noise of standard deviation s, again comes from a mixture of Gaussians.
So the score (the gradient of the log density), the best denoiser and the likelihood of a diffusion model can be
compared with the truth. The ring of eight is the usual test of generative models for missing modes.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class Mixture:
    """A mixture of round Gaussians.

    Args:
        means: Of the components (K, D).
        stds: Their standard deviations (K,).
        weights: Their probabilities (K,).
    """

    def __init__(self, means: Tensor, stds: Tensor, weights: Tensor) -> None:
        self.means, self.stds, self.weights = means, stds, weights

    def _parts(self, x: Tensor, a: float | Tensor, s: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log of weight times density of each component (N, K), difference to its mean (N, K, D), variance (N, K)."""
        means, stds, weights = (p.to(x) for p in (self.means, self.stds, self.weights))
        a, s = (torch.as_tensor(v, dtype=x.dtype, device=x.device).reshape(-1, 1) for v in (a, s))  # (N or 1, 1)
        differences = a[..., None] * means - x[:, None]  # (N, K, D)
        variances = (a * stds) ** 2 + s**2  # (N or 1, K)
        logs = weights.log() - differences.square().sum(2) / (2 * variances)
        return logs - x.shape[1] / 2 * (2 * math.pi * variances).log(), differences, variances

    def log_prob(self, x: Tensor, a: float | Tensor = 1.0, s: float | Tensor = 0.0) -> Tensor:
        """log density (N,) of points x (N, D) in nats, of data times ``a`` plus noise of standard deviation ``s``."""
        return self._parts(x, a, s)[0].logsumexp(1)

    def score(self, x: Tensor, a: float | Tensor = 1.0, s: float | Tensor = 0.0) -> Tensor:
        """The gradient (N, D) of ``log_prob``."""
        logs, differences, variances = self._parts(x, a, s)
        return (logs.softmax(1)[..., None] * differences / variances[..., None]).sum(1)

    def sample(self, rows: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Points (rows, D) and their components (rows,)."""
        k = torch.multinomial(self.weights, rows, replacement=True, generator=generator)
        noise = torch.randn(rows, self.means.shape[1], generator=generator)
        return self.means[k] + self.stds[k, None] * noise, k

    def coverage(self, x: Tensor, within: float = 3.0) -> tuple[Tensor, Tensor]:
        """The fraction of points x (N, D) nearest to each component (K,), of those that are at most ``within`` standard
        deviations from it; and the fraction of these among all, ().
        """
        distances = torch.cdist(x, self.means.to(x)) / self.stds.to(x)
        near, k = distances.min(1)
        counts = torch.bincount(k[near <= within], minlength=len(self.stds)).to(x)
        return counts / len(x), (near <= within).to(x).mean()


class MixturePoints(TensorDataModule):
    """Points x (B, 2) and the component y (B,) each comes from; mean 0 and variance 1 in each dimension.

    Args:
        arrangement: Of the means: a ``ring``, or a square ``grid``.
        num_modes: Number of components; of a grid a square number.
        std: Standard deviation of a component.
        num_train, num_val, num_test: Points of each split.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: A grid of a number that is not a square, or components too wide for the variance of 1.
    """

    def __init__(
        self,
        arrangement: Literal["ring", "grid"] = "ring",
        num_modes: int = 8,
        std: float = 0.14,
        num_train: int = 20_000,
        num_val: int = 1000,
        num_test: int = 2000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        if not 0 < std < 1:
            raise UserError(f"data.std is {std}: the points have variance 1, give a number between 0 and 1")
        self.mixture = Mixture(
            places(arrangement, num_modes) * math.sqrt(1 - std**2),
            torch.full((num_modes,), std),
            torch.full((num_modes,), 1 / num_modes),
        )
        self.class_names = [str(k) for k in range(num_modes)]
        self.data_seed = data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {n: self.mixture.sample(k, generator) for n, k in self.sizes.items()}
        return splits | {"predict": (splits["test"][0],)}

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Chance: one Gaussian of the data's mean and variance, where the diffusion begins."""
        x = self.splits["test"][0]
        likelihood = -float(x.square().sum(1).mean() + x.shape[1] * math.log(2 * math.pi)) / 2
        return {"chance": {"what": "one Gaussian N(0, 1)", "metrics": {"test/log_likelihood": likelihood}}}


def places(arrangement: str, modes: int) -> Tensor:
    """Means (K, 2) with mean 0 and variance 1 in each dimension.

    Raises:
        UserError: Fewer than two, or a grid of a number that is not a square.
    """
    side = math.isqrt(modes)
    if modes < 3 or (arrangement == "grid" and side**2 != modes):
        raise UserError(f"data.num_modes is {modes}: give at least 3, for a grid a square number such as 25")
    if arrangement == "ring":
        angles = 2 * math.pi * torch.arange(modes) / modes
        return math.sqrt(2) * torch.stack([angles.cos(), angles.sin()], 1)
    line = torch.linspace(-1, 1, side)
    grid = torch.cartesian_prod(line, line)
    return grid / grid.std(0, correction=0)
