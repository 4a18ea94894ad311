"""Bayesian linear regression: the exact posterior, predictive bands, and precisions chosen by the evidence.

MacKay 1992, "Bayesian interpolation"; Bishop 2006, 3.3 to 3.5. Goodfellow et al. 5.6.1.
The features are Gaussian bumps over the range of the training inputs, or the inputs themselves. The posterior is in
closed form: its mean is reached by one step of SGD of rate 1, its covariance is a buffer. The precisions of the prior
and of the noise maximize the evidence (fixed-point iteration).

    dive fit probability/bayesian_regression      40 points of a noisy curve, offline: posterior.png
    dive fit probability/bayesian_regression --model.features linear --data CSVTable --data.path FILE

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.layers.precision import full_precision
from lit_models.tasks.gaussian_regressor import HALF_WIDTH
from lit_models.tasks.processes import precise
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


def posterior(features: Tensor, y: Tensor, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """Mean (F,) and covariance (F, F) of the weights.

    Args:
        features: (N, F).
        y: Targets (N,).
        alpha: Precision of the prior, the same for each weight.
        beta: Precision of the noise.
    """
    precision = alpha * torch.eye(features.shape[1]).to(features) + beta * features.T @ features
    covariance = torch.linalg.inv(precision)
    return beta * covariance @ features.T @ y, (covariance + covariance.T) / 2


def log_evidence(features: Tensor, y: Tensor, alpha: float, beta: float) -> float:
    """log p(y), the weights integrated out: y is Gaussian with covariance features features' / alpha + 1 / beta."""
    n, f = features.shape
    mean, covariance = posterior(features, y, alpha, beta)
    misfit = beta * (y - features @ mean).square().sum() + alpha * mean.square().sum()
    log_det = torch.logdet(covariance)
    return float((f * math.log(alpha) + n * math.log(beta / (2 * math.pi)) - misfit + log_det) / 2)


def best_precisions(features: Tensor, y: Tensor, iterations: int = 300) -> tuple[float, float]:
    """alpha and beta with the largest evidence, by MacKay's fixed point.

    gamma = sum of eigenvalue / (alpha + eigenvalue) counts the weights that the data determine; then
    alpha = gamma / |mean|^2 and beta = (N - gamma) / |y - prediction|^2.
    """
    eigenvalues = torch.linalg.eigvalsh(features.T @ features).clamp(min=0)
    alpha, beta = 1.0, 1.0 / max(float(y.var()), 1e-12)
    for _ in range(iterations):
        mean, _ = posterior(features, y, alpha, beta)
        gamma = float((beta * eigenvalues / (alpha + beta * eigenvalues)).sum())
        alpha = gamma / max(float(mean.square().sum()), 1e-12)
        beta = max(len(y) - gamma, 1e-6) / max(float((y - features @ mean).square().sum()), 1e-12)
    return alpha, beta


class BayesianLinear(nn.Module):
    """Rows (B, num_features) -> posterior mean of the target (B, 1).

    Args:
        num_features: Columns of a row.
        features: ``bumps``, Gaussians over the range of the training inputs (for one column), or ``linear``.
        num_bumps: Their number; their width is the distance of two.
    """

    covariance: Tensor
    centers: Tensor
    width: Tensor
    precisions: Tensor

    def __init__(
        self, num_features: int = 1, features: Literal["bumps", "linear"] = "bumps", num_bumps: int = 12
    ) -> None:
        super().__init__()
        if num_bumps < 2:
            raise UserError(f"model.num_bumps is {num_bumps}: give at least 2, one at each end of the data")
        self.kind = features
        size = 1 + (num_features * num_bumps if features == "bumps" else num_features)
        self.weight = nn.Parameter(torch.zeros(size))
        self.register_buffer("covariance", torch.eye(size))
        self.register_buffer("precisions", torch.ones(2))  # alpha, beta
        self.register_buffer("centers", torch.zeros(num_bumps, num_features))
        self.register_buffer("width", torch.ones(num_features))

    def place(self, x: Tensor) -> None:
        """Spreads the bumps over the range of rows x (N, D)."""
        low, high = x.min(0).values, x.max(0).values
        steps = torch.linspace(0, 1, len(self.centers)).to(x)[:, None]
        self.centers.copy_(low + steps * (high - low))
        self.width.copy_(((high - low) / (len(self.centers) - 1)).clamp(min=1e-6))

    def phi(self, x: Tensor) -> Tensor:
        """Features (B, F), the first of them 1."""
        if self.kind == "bumps":
            distance = (x[:, None] - self.centers.to(x)) / self.width.to(x)  # (B, K, D)
            values = torch.exp(-distance.square() / 2).flatten(1)
        else:
            values = x
        return torch.cat([torch.ones_like(x[:, :1]), values], 1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.phi(x) @ self.weight)[:, None]

    def std(self, x: Tensor, noise: bool = True) -> Tensor:
        """Standard deviation (B,) of the target at x, or of its mean if ``noise`` is False."""
        phi = self.phi(x.to(self.covariance))
        variance = torch.einsum("bf,fg,bg->b", phi, self.covariance, phi).clamp(min=0)
        return (variance + (1 / self.precisions[1] if noise else 0)).sqrt()


@trains(BayesianLinear)
class LitBayesianRegression(Regressor):
    """Bayesian linear regression. Also logs ``test/nll``, the predictive negative log-density in nats, and
    ``test/coverage``: the fraction of targets within the central 95 % of their predictive distribution.
    """

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.test_nll, self.test_coverage = MeanMetric(), MeanMetric()
        self.solution: Tensor | None = None

    def on_fit_start(self) -> None:
        """Computes the posterior of the training rows, in double precision."""
        super().on_fit_start()
        net: Any = self.net
        splits = self.data_attribute("splits")
        if splits:
            x, y = (t.to(self.device, precise(self.device)) for t in splits["train"][:2])
            net.place(x.to(net.centers))
            phi = net.phi(x)
            alpha, beta = best_precisions(phi, y)
            self.solution, covariance = posterior(phi, y, alpha, beta)
            net.covariance.copy_(covariance)
            net.precisions.copy_(torch.tensor([alpha, beta]))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        assert self.solution is not None
        weight: Any = self.net.weight
        loss = (weight - self.solution.to(weight)).square().sum() / 2
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        found = super().test_step(batch, batch_idx)
        with full_precision(x):
            std = self.net.std(x).to(found["prediction"])  # type: ignore[operator]
        z = (y - found["prediction"][:, 0]) / std
        self.test_nll.update(z.square() / 2 + std.log() + math.log(2 * math.pi) / 2)
        self.test_coverage.update((z.abs() <= HALF_WIDTH).float())
        return {**found, "std": std}

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log("test/nll", self.test_nll.compute() + math.log(self.scale))
        self.log("test/coverage", self.test_coverage)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``prediction``, and ``lower`` and ``upper``, which hold 95 % of observations, each (B, 1).

        All are in the target's units, also where its logarithm is learned, as a standard deviation could not be.
        """
        x = batch if isinstance(batch, Tensor) else batch[0]
        with full_precision(x):
            std = self.net.std(x).float()[:, None]  # type: ignore[operator]
        found = super().predict_step(batch, batch_idx)
        half = HALF_WIDTH * std
        return {**found, "lower": found["prediction"] - half, "upper": found["prediction"] + half}

    def panels(self) -> list[dict[str, Any]]:
        """The posterior after 1, 4, 12 and all training points of one column, with bands of two deviations."""
        splits = self.data_attribute("splits")
        if not splits or splits["train"][0].shape[1] != 1:
            return []
        x, y = (t.to(self.device, precise(self.device)) for t in splits["train"][:2])
        net: Any = self.net
        grid = torch.linspace(float(x.min()), float(x.max()), 200).to(x)[:, None]
        alpha, beta = net.precisions.to(x)
        phi, panels = net.phi(x), []
        room = float(y.max() - y.min()) / 2
        limits = (float(y.min()) - room, float(y.max()) + room)
        for count in sorted({1, 4, 12, len(x)} & set(range(len(x) + 1))):
            mean, covariance = posterior(phi[:count], y[:count], float(alpha), float(beta))
            at = net.phi(grid)
            middle = at @ mean
            std = (torch.einsum("bf,fg,bg->b", at, covariance, at) + 1 / beta).sqrt()
            lines = {"mean": (grid, middle), "95 %": (grid, middle + 2 * std), "": (grid, middle - 2 * std)}
            points = {"train": (x[:count], y[:count])}
            panels.append(
                {"title": f"{count} point{'s' * (count > 1)}", "lines": lines, "points": points, "ylim": limits}
            )
        return panels
