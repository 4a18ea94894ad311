"""Gaussian mixtures, by expectation-maximization and by gradient descent on the same likelihood.

Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm"; Bishop 2006, 9.2.
Goodfellow et al. 3.9.6 and 19.2. One EM sweep is one training step: its target is reached by one step of SGD of rate 1
on half the squared distance, so that it is trained, saved, resumed and exported as any model.

    dive fit probability/gaussian_mixture                           by EM, offline
    dive fit probability/gaussian_mixture_gradient                  by Adam, the same start
    dive fit probability/gaussian_mixture --data CSVTable --data.path FILE --model.num_components 3

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.layers.precision import full_precision
from lit_models.probability.density import DensityEstimator
from lit_models.probability.distributions import Distribution, cholesky_of
from lit_models.tasks.trains import trains


class GaussianMixture(Distribution):
    """K Gaussians with full covariances and their weights. (B, num_features) -> log-density (B,).

    Args:
        num_features: Columns D of a row.
        num_components: K.
    """

    def __init__(self, num_features: int = 2, num_components: int = 3) -> None:
        super().__init__(num_features)
        self.logits = torch.nn.Parameter(torch.zeros(num_components))
        self.means = torch.nn.Parameter(torch.randn(num_components, num_features))
        self.log_diagonals = torch.nn.Parameter(torch.zeros(num_components, num_features))
        self.below = torch.nn.Parameter(torch.zeros(num_components, num_features, num_features))

    def factors(self) -> Tensor:
        """The Cholesky factors (K, D, D) of the covariances."""
        return self.below.tril(-1) + self.log_diagonals.exp().diag_embed()

    def joint(self, x: Tensor) -> Tensor:
        """log p(x, k) (B, K): the weight of a component and its density at x, in nats."""
        centered = (x[None] - self.means[:, None]).transpose(1, 2)  # (K, D, B)
        z = torch.linalg.solve_triangular(self.factors(), centered, upper=False)
        log_normal = -z.square().sum(1) / 2 - self.log_diagonals.sum(1, keepdim=True)  # (K, B)
        constant = self.num_features / 2 * math.log(2 * math.pi)
        return log_normal.T - constant + self.logits.log_softmax(0)

    def log_prob(self, x: Tensor) -> Tensor:
        return self.joint(x).logsumexp(1)

    def responsibilities(self, x: Tensor) -> Tensor:
        """p(k | x) (B, K): the E step."""
        return self.joint(x).softmax(1)

    @torch.no_grad()
    def maximized(self, x: Tensor, responsibilities: Tensor, reg_covar: float = 1e-6) -> dict[str, Tensor]:
        """The M step: the parameters with the largest expected log-likelihood, by name.

        Args:
            x: Rows (N, D).
            responsibilities: (N, K), each row sums to 1.
            reg_covar: Is added to the variances, so that no component collapses on a point.
        """
        counts = responsibilities.sum(0) + 10 * torch.finfo(x.dtype).eps  # (K,)
        means = responsibilities.T @ x / counts[:, None]
        factors = []
        for k in range(len(counts)):
            centered = x - means[k]
            covariance = (responsibilities[:, k, None] * centered).T @ centered / counts[k]
            factors.append(cholesky_of(covariance + reg_covar * torch.eye(x.shape[1]).to(x)))
        factor = torch.stack(factors)
        diagonal = factor.diagonal(dim1=1, dim2=2).log()
        return {"logits": counts.log(), "means": means, "log_diagonals": diagonal, "below": factor.tril(-1)}

    @torch.no_grad()
    def set(self, parameters: dict[str, Tensor]) -> None:
        """Sets parameters by name."""
        for name, value in parameters.items():
            getattr(self, name).copy_(value)

    def start_at(self, x: Tensor, u: Tensor) -> None:
        """Means at rows of x (N, D), far from each other (k-means++), each with the covariance of all rows.

        Args:
            x: Rows (N, D).
            u: K uniform numbers, which choose the rows.

        Raises:
            UserError: There are fewer rows than components.
        """
        components = len(self.means)
        if len(x) < components:
            raise UserError(f"{len(x)} rows for model.num_components {components}: give more rows or fewer components")
        chosen = [x[min(int(u[0] * len(x)), len(x) - 1)]]
        for k in range(1, components):
            distance = torch.cdist(x, torch.stack(chosen)).min(1).values.square()  # (N,)
            place = int(torch.searchsorted(distance.cumsum(0), u[k] * distance.sum()))
            chosen.append(x[min(place, len(x) - 1)])
        self.set(self.maximized(x, torch.full((len(x), components), 1 / components).to(x)))
        self.set({"means": torch.stack(chosen)})

    def fit(self, x: Tensor, sweeps: int = 100, reg_covar: float = 1e-6) -> None:
        """Sweeps of EM from the present parameters: the likelihood never falls."""
        for _ in range(sweeps):
            self.set(self.maximized(x, self.responsibilities(x).detach(), reg_covar))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Ancestral sampling: a component for each row, then the row from that component."""
        k = torch.multinomial(self.logits.detach().cpu().softmax(0), count, replacement=True, generator=generator)
        z = torch.randn(count, self.num_features, 1, generator=generator, dtype=torch.float64).to(self.means)
        k = k.to(self.means.device)
        return self.means[k] + (self.factors()[k] @ z)[:, :, 0]


@trains(GaussianMixture)
class LitGaussianMixture(DensityEstimator):
    """A Gaussian mixture fitted by EM (each step one sweep over all training rows) or by gradient.

    Args:
        method: ``em``, which needs an optimizer SGD of rate 1, or ``gradient``.
        reg_covar: Is added to the variances in EM.
        **task: See ``Task``.
    """

    start: Tensor

    def __init__(
        self, method: Literal["em", "gradient"] = "em", reg_covar: float = 1e-6, num_components: int = 3, **task: Any
    ) -> None:
        super().__init__(**task)
        self.method, self.reg_covar = method, reg_covar
        self.fresh = True
        self.register_buffer("start", torch.rand(num_components, dtype=torch.float64))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.fresh = False

    def on_fit_start(self) -> None:
        """Places the components on training rows, unless the run is resumed."""
        super().on_fit_start()
        if self.fresh and self.data_attribute("splits"):
            net: Any = self.net
            net.start_at(self.training_rows().to(net.means), self.start)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        if self.method == "gradient":
            return super().training_step(batch, batch_idx)
        net: Any = self.net
        x = self.training_rows().to(net.means)
        with torch.no_grad(), full_precision(x):
            joint = net.joint(x)
            target = net.maximized(x, joint.softmax(1), self.reg_covar)
            self.record_train_loss(-joint.logsumexp(1).mean(), len(batch[0]))
        parameters = dict(net.named_parameters())
        return (
            sum(((parameters[name] - value).square().sum() for name, value in target.items()), start=x.new_zeros(()))
            / 2
        )

    def panels(self) -> list[dict[str, Any]]:
        """Samples, and an ellipse of two deviations around each mean; for rows of two columns."""
        net: Any = self.net
        if net.num_features != 2:
            return []
        angle = torch.linspace(0, 2 * math.pi, 100, device=self.device)
        circle = 2 * torch.stack([angle.cos(), angle.sin()]).to(net.means)  # (2, 100)
        ellipses = net.means.detach()[:, :, None] + net.factors().detach() @ circle
        weights = net.logits.detach().softmax(0)
        lines = {f"{100 * w:.0f} %": (e[0], e[1]) for w, e in zip(weights.tolist(), ellipses, strict=True)}
        sample = net.sample(1000, torch.Generator().manual_seed(0)).detach()
        return [
            {"title": "samples of the mixture", "points": {"samples": (sample[:, 0], sample[:, 1])}, "lines": lines}
        ]


def held_out_losses(train: Tensor, held_out: Tensor, components: range, seed: int = 0, sweeps: int = 50) -> list[float]:
    """Loss in nats per held-out row of mixtures of 1, 2, ... components: the training loss always falls, this does not.

    Args:
        train: Rows (N, D), in double precision.
        held_out: Rows (M, D).
        components: Numbers of components.
        seed: Of the starts.
        sweeps: Of EM.
    """
    losses = []
    for k in components:
        net = GaussianMixture(train.shape[1], k).to(train)
        net.start_at(train, torch.rand(k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
        net.fit(train, sweeps)
        losses.append(float(-net(held_out).mean()))
    return losses
