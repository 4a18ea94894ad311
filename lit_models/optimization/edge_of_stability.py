"""The edge of stability: gradient descent sharpens the loss until its rate is just too large, and stays there.

Cohen et al. 2021, "Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability". On a quadratic of
largest curvature s, gradient descent diverges with a rate above 2 / s. On a network, s (the *sharpness*, the Hessian's
largest eigenvalue) rises by itself until it reaches 2 / rate; then the loss no longer falls in each step, but it falls.

Each step takes all training rows, whatever the batch: with mini-batches the sharpness stays lower. ``val/loss`` is the
loss of the training rows too, since this is about descending it.

    dive fit optimization/edge_of_stability
    dive fit optimization/edge_of_stability --model.optimizer.lr 0.01        stays far below the edge as long

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.mlp.mlp import MLP, outputs
from lit_models.optimization.curvature import Hessian, filter_direction, slice_of
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


@trains(MLP, num_outputs=outputs)
class LitEdgeOfStability(Task):
    """A network of which the sharpness is watched while all rows descend. Batch: ``(x, y)``, as a ``Regressor``'s.

    Logs ``train/loss``, ``val/loss`` and ``test/loss`` (half the squared error of all training rows), ``val/sharpness``
    and, also in the test, ``stability``: the sharpness times half the learning rate, 1 at the edge.

    Args:
        products: Hessian-vector products for a measurement of the sharpness.
        **task: See ``Task``.
    """

    output_means = "The prediction, in the measure of the target that was trained on."
    rate: Tensor

    def __init__(self, hidden_sizes: Sequence[int] = (32, 32), products: int = 20, **task: Any) -> None:
        super().__init__(**task)
        if products < 1:
            raise UserError(f"model.products is {products}: give at least 1")
        self.products = products
        self.register_buffer("rate", torch.zeros(()))  # of the optimizer, for a test without one
        self.history: list[tuple[int, float, float]] = []  # step, loss, sharpness
        self.mean_loss, self.mean_sharpness = MeanMetric(), MeanMetric()
        self._rows: tuple[Tensor, ...] | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.history = list(checkpoint.get("history", []))

    def loss(self) -> Tensor:
        """Half the mean squared error of all training rows ()."""
        weight = next(self.net.parameters())
        if self._rows is None or self._rows[0].device != weight.device:
            self._rows = tuple(t.to(weight) for t in self.data_attribute("splits")["train"][:2])
        x, y = self._rows
        prediction = self(x)
        return (prediction - y.reshape(prediction.shape)).square().mean() / 2

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        if batch_idx == 0:
            self.rate.fill_(self.trainer.optimizers[0].param_groups[0]["lr"])
        loss = self.loss()
        self.record_train_loss(loss, 1)
        return loss

    def sharpness(self) -> Tensor:
        """The largest eigenvalue of the Hessian of the training loss ()."""
        with torch.inference_mode(False):
            hessian = Hessian(self.loss, list(self.net.parameters()))
            return hessian.largest_eigenvalues(1, self.products)[0].float()

    def on_validation_epoch_start(self) -> None:
        self._measure(record=not self.trainer.sanity_checking)

    def on_test_epoch_start(self) -> None:
        self._measure(record=False)

    def _measure(self, record: bool) -> None:
        loss, sharpness = self.loss().detach(), self.sharpness()
        self.mean_loss.update(loss)
        self.mean_sharpness.update(sharpness)
        if record:
            self.history.append((self.trainer.global_step, float(loss), float(sharpness)))

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Everything is measured once an epoch, on the training rows."""

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """See ``validation_step``."""

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.mean_loss)
        self.log("val/sharpness", self.mean_sharpness)

    def on_test_epoch_end(self) -> None:
        self.log("test/stability", self.mean_sharpness.compute() * self.rate / 2)
        self.log("test/loss", self.mean_loss)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``prediction`` (B, K) for a batch ``x`` or ``(x, ...)``."""
        return {"prediction": self(batch if isinstance(batch, Tensor) else batch[0])}

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: loss and sharpness by step with the edge, and a slice through the loss where it ended."""
        if len(self.history) < 2:
            return []
        step, loss, sharpness = torch.tensor(self.history).T
        edge = torch.full_like(step, float(2 / self.rate))
        sharp = {"sharpness": (step, sharpness), "2 / rate": (step, edge)}
        places = torch.linspace(-1, 1, 41)
        params = list(self.net.parameters())
        generator = torch.Generator().manual_seed(0)
        slices = {
            f"direction {k + 1}": (places, slice_of(self.loss, params, filter_direction(params, generator), places))
            for k in range(3)
        }
        return [
            {"title": "training loss", "xlabel": "step", "log": True, "lines": {"loss": (step, loss)}},
            {"title": "sharpness", "xlabel": "step", "lines": sharp},
            {"title": "slices, filter-normalized", "xlabel": "distance", "log": True, "lines": slices},
        ]
