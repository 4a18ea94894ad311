"""Mixture density network: a whole distribution for each input, not only its mean.

Bishop 1994, "Mixture density networks". Goodfellow et al. 6.2.2.4. With one component it is regression with a
variance that depends on the input (heteroscedastic); on an inverse problem, where an x has several y, the mean is
between the branches where no y is, and a mixture finds the branches.

    dive fit probability/mixture_density                              five components, offline
    dive fit probability/mixture_density --model.num_components 1     a Gaussian with its own variance for each x

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lit_models.layers.precision import full_precision
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class MixtureDensity(nn.Module):
    """x (B, num_features) -> log weights, means and log deviations of K Gaussians: (B, 3, K).

    Args:
        num_features: Inputs.
        num_components: K.
        hidden_size: Units of the two hidden layers.
        min_log_std: Deviations are at least exp of this: a component on a single point would have infinite density.
    """

    def __init__(
        self, num_features: int = 1, num_components: int = 5, hidden_size: int = 32, min_log_std: float = -5.0
    ) -> None:
        super().__init__()
        self.min_log_std = min_log_std
        self.body = nn.Sequential(
            nn.Linear(num_features, hidden_size), nn.Tanh(), nn.Linear(hidden_size, hidden_size), nn.Tanh()
        )
        self.head = nn.Linear(hidden_size, 3 * num_components)

    def forward(self, x: Tensor) -> Tensor:
        logits, means, log_stds = self.head(self.body(x)).unflatten(1, (3, -1)).unbind(1)
        return torch.stack([logits.log_softmax(1), means, log_stds.clamp(min=self.min_log_std)], 1)


def log_density(parameters: Tensor, y: Tensor) -> Tensor:
    """log p(y | x) (B,) of targets (B,) under mixtures (B, 3, K), in nats."""
    log_weights, means, log_stds = parameters.unbind(1)
    z = (y[:, None] - means) * torch.exp(-log_stds)
    return (log_weights - z.square() / 2 - log_stds - math.log(2 * math.pi) / 2).logsumexp(1)


@trains(MixtureDensity)
class LitMixtureDensity(Task):
    """Trained by the negative log-density of the targets. Batch: ``(x, y)``, x (B, F), y (B,).

    Logs ``train/loss``, ``val/loss`` and ``test/loss`` in nats and ``test/rmse``, the error of the mixture's mean.
    """

    output_means = "Log weights, means and log deviations of the components, along dimension 1."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.val_loss, self.test_loss, self.test_square = MeanMetric(), MeanMetric(), MeanMetric()

    def forward(self, *inputs: Tensor) -> Any:
        with full_precision(inputs[0]):
            return super().forward(*inputs)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = -log_density(self(x), y).mean()
        self.record_train_loss(loss, len(x))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.val_loss.update(-log_density(self(batch[0]), batch[1]))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        parameters = self(x)
        mean = (parameters[:, 0].exp() * parameters[:, 1]).sum(1)
        self.test_loss.update(-log_density(parameters, y))
        self.test_square.update((mean - y).square())
        return {"prediction": mean[:, None]}

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        self.log("test/rmse", self.test_square.compute().sqrt())

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``prediction`` and ``std`` (B,), of the mixture, and ``weights``, ``means``, ``stds`` (B, K)."""
        parameters = self(batch if isinstance(batch, Tensor) else batch[0]).float()
        weights, means, stds = parameters[:, 0].exp(), parameters[:, 1], parameters[:, 2].exp()
        mean = (weights * means).sum(1)
        variance = (weights * (stds.square() + means.square())).sum(1) - mean.square()
        return {
            "prediction": mean,
            "std": variance.clamp(min=0).sqrt(),
            "weights": weights,
            "means": means,
            "stds": stds,
        }

    def panels(self) -> list[dict[str, Any]]:
        """The training points, samples of the network, and the mean."""
        splits = self.data_attribute("splits")
        if not splits or splits["train"][0].shape[1] != 1:
            return []
        x, y = (t.to(self.device) for t in splits["train"][:2])
        with torch.no_grad():
            log_weights, means, log_stds = self(x.to(self.dtype)).float().unbind(1)
        generator = torch.Generator().manual_seed(0)
        k = torch.multinomial(log_weights.exp().cpu(), 1, generator=generator).to(self.device)
        z = torch.randn(len(x), 1, generator=generator).to(self.device)
        drawn = (means.gather(1, k) + log_stds.gather(1, k).exp() * z)[:, 0]
        order = x[:, 0].argsort()
        mean = (log_weights.exp() * means).sum(1)
        return [
            {"title": "training points", "points": {"train": (x, y)}},
            {
                "title": "samples of the network, and its mean",
                "points": {"samples": (x, drawn)},
                "lines": {"mean": (x[order], mean[order])},
            },
        ]
