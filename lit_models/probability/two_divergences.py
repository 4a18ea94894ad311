"""One Gaussian for a density with two modes: the two directions of the Kullback-Leibler divergence.

Goodfellow et al. 3.13, figure 3.6. Minimizing KL(p || q), as maximum likelihood does, covers both modes: q must not be
small where p is not. Minimizing KL(q || p), as variational inference does, seeks one mode: q must be small where p is.
Both integrals are sums over a grid of points, which the datamodule gives as rows.

    dive fit probability/two_divergences                             KL(p || q) covers
    dive fit probability/two_divergences --model.direction reverse   KL(q || p) seeks

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchmetrics import SumMetric

from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class OneGaussian(nn.Module):
    """x (B, 1) -> log-density (B,) of a Gaussian.

    Args:
        start: Its mean at the start; its deviation is 1. In the reverse direction it decides which mode is found;
            from between the modes
            descent ends in a local minimum that covers both.
    """

    def __init__(self, start: float = 1.5) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([float(start)]))
        self.log_std = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        z = (x[:, 0] - self.mean) * torch.exp(-self.log_std)
        return -z.square() / 2 - self.log_std - math.log(2 * math.pi) / 2


@trains(OneGaussian)
class LitTwoDivergences(Task):
    """Fits q to p. Batch: ``(x, log_p)``: points of a grid (B, 1) and log p times their spacing, its weight (B,).

    Logs ``val/loss``, ``test/loss`` (the divergence in its direction), and ``test/std``, the deviation of q.

    Args:
        direction: ``forward``, KL(p || q), or ``reverse``, KL(q || p).
        **task: See ``Task``.
    """

    output_means = "The log-density of the Gaussian."

    def __init__(self, direction: Literal["forward", "reverse"] = "forward", **task: Any) -> None:
        super().__init__(**task)
        self.direction = direction
        self.example_input = torch.zeros(1, 1)
        self.val_loss, self.test_loss = SumMetric(), SumMetric()

    def divergence(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The batch's part of the divergence (), a sum over its points. The grid's spacing cancels in the logarithm."""
        x, log_p = batch
        spacing = float(self.data_attribute("spacing", 1.0))
        log_q = self(x) + math.log(spacing)
        if self.direction == "forward":
            return (log_p.exp() * (log_p - log_q)).sum()
        return (log_q.exp() * (log_q - log_p)).sum()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self.divergence(batch)
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.val_loss.update(self.divergence(batch))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.test_loss.update(self.divergence(batch))

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        net: Any = self.net
        self.log("test/loss", self.test_loss)
        self.log("test/std", net.log_std.detach().exp()[0], sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``log_prob`` (B,)."""
        return {"log_prob": self(batch if isinstance(batch, Tensor) else batch[0]).float()}

    def panels(self) -> list[dict[str, Any]]:
        """p and q over the grid."""
        splits = self.data_attribute("splits")
        if not splits:
            return []
        x, log_p = splits["train"]
        spacing = float(self.data_attribute("spacing", 1.0))
        with torch.no_grad():
            q = self(x.to(self.device)).exp()
        title = "KL(p || q) covers" if self.direction == "forward" else "KL(q || p) seeks"
        return [{"title": title, "xlabel": "x", "lines": {"p": (x, log_p.exp() / spacing), "q": (x, q)}}]
