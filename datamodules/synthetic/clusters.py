"""Rows of a planted Gaussian mixture: a density whose true value is known."""

import numpy as np
import torch
from torch import Tensor, distributions

from common.messages import UserError
from datamodules.base import TensorDataModule


class Clusters(TensorDataModule):
    """Rows x (num_features,) of a mixture whose weights, means and covariances are drawn once with ``data_seed``. A
    batch is x, and the cluster (B,) that made it, which a density estimator does not use.

    ``log_density`` is the true log-density.

    Args:
        num_features: Columns of a row.
        num_clusters: Gaussians in the true mixture.
        spread: Standard deviation of the means, where the clusters' deviations are near 1.
        num_train, num_val, num_test: Rows of each split.
        data_seed: Seed of parameters and rows; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: Fewer than one column or cluster.
    """

    links = ("num_features",)

    def __init__(
        self,
        num_features: int = 2,
        num_clusters: int = 4,
        spread: float = 4.0,
        num_train: int = 2000,
        num_val: int = 500,
        num_test: int = 5000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        if min(num_features, num_clusters) < 1:
            raise UserError(
                f"data.num_features is {num_features} and data.num_clusters {num_clusters}: give at least 1"
            )
        self.num_features, self.num_clusters, self.spread = num_features, num_clusters, spread
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}
        self.data_seed = data_seed

    def truth(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (K,), means (K, D) and Cholesky factors (K, D, D), in double precision."""
        draw = np.random.default_rng(self.data_seed)
        k, d = self.num_clusters, self.num_features
        weights = draw.dirichlet(np.full(k, 5.0))
        means = self.spread * draw.standard_normal((k, d))
        factors = np.tril(draw.standard_normal((k, d, d)), -1) * 0.5 + np.eye(d) * draw.uniform(0.5, 1.2, (k, 1, d))
        return torch.from_numpy(weights), torch.from_numpy(means), torch.from_numpy(factors)

    def log_density(self, x: Tensor) -> Tensor:
        """The true log-density (B,) of rows (B, num_features), in nats."""
        weights, means, factors = self.truth()
        clusters = distributions.MultivariateNormal(means, scale_tril=factors)
        mixture = distributions.MixtureSameFamily(distributions.Categorical(weights), clusters)
        return mixture.log_prob(x.cpu().double()).to(x)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        weights, means, factors = self.truth()
        splits: dict[str, tuple[Tensor, ...]] = {}
        generator = torch.Generator().manual_seed(self.data_seed)
        for name, count in self.sizes.items():
            k = torch.multinomial(weights, count, replacement=True, generator=generator)
            z = torch.randn(count, self.num_features, 1, generator=generator, dtype=torch.float64)
            splits[name] = ((means[k] + (factors[k] @ z)[:, :, 0]).float(), k)
        return {**splits, "predict": splits["test"][:1]}
