"""Classification. Batch: ``(x, y)``, x (B, ...), y (B,) classes or (B, num_classes) distributions (mixup).

Regularizers change the batches and the loss of training, in a fixed order: see ``lit_models/tasks/regularizer.py``.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from common.messages import UserError
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.regularizer import Regularizer, in_order, refuse_inputs
from lit_models.tasks.task import Task


class Classifier(Task):
    """Trains ``self.net``, which maps x to logits (B, num_classes), by cross-entropy in nats.

    Logs ``train/loss``, ``val/loss``, ``val/acc``, ``test/loss`` and ``test/acc``. A soft target counts as right when
    the prediction is its most probable class.

    Args:
        num_classes: Number of classes.
        label_smoothing: Fraction of the target spread evenly over all classes, in training only (Szegedy et al.
            2016).
        regularizers: What else changes the batches or the loss of training; ``-c regularizer/NAME`` adds one.
        **task: See ``Task``.

    Raises:
        UserError: Regularizers are given to a class whose training step is its own, or label smoothing to one whose
            loss has none.
    """

    smooths = True  # whether the training loss has label smoothing; a class whose own loss has none says so
    output_means = "Logits: softmax over dimension 1 gives the probabilities of the classes (class_names)."

    def __init__(
        self,
        num_classes: int,
        label_smoothing: float = 0.0,
        regularizers: list[Regularizer] | None = None,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if label_smoothing and not self.smooths:
            raise UserError(f"model.label_smoothing: the training loss of {type(self).__name__} has none: leave it out")
        self.label_smoothing = label_smoothing
        self.regularizers = in_order(regularizers)
        if self.regularizers and type(self).training_step is not Classifier.training_step:
            raise UserError(
                f"{type(self).__name__} has a training step of its own, which takes no regularizers "
                f"({type(self.regularizers[0]).__name__}): leave them out, or use another model"
            )
        built = {type(r).__name__: r.build(self.net) for r in self.regularizers if hasattr(self, "net")}
        if heads := {name: head for name, head in built.items() if head is not None}:
            self.second_heads = nn.ModuleDict(heads)
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.val_acc = MulticlassAccuracy(num_classes, average="micro")
        self.test_acc = MulticlassAccuracy(num_classes, average="micro")

    def on_train_batch_start(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Refuses real numbers as targets before they reach the loss."""
        if batch[-1].ndim == 1 and batch[-1].is_floating_point():
            raise UserError(
                f"the targets are real numbers, not classes: {type(self).__name__} is a classifier; "
                "for numbers use a regressor, such as the recipe mlp/mlp_regression"
            )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        if self.regularizers:
            return self._regularized_step(x, y)
        loss = F.cross_entropy(at_least_float32(self(x)), y, label_smoothing=self.label_smoothing)
        self.record_train_loss(loss, len(x))
        return loss

    def _regularized_step(self, x: Tensor, y: Tensor) -> Tensor:
        """``train/loss`` is the cross-entropy of the changed batch, without penalties."""
        for regularizer in self.regularizers:
            refuse_inputs(regularizer, x)
            x, y = regularizer.batch(self, x, y)
        if any(regularizer.needs_input_gradient for regularizer in self.regularizers):
            x = x.detach().requires_grad_()
        logits = at_least_float32(self(x))
        losses = self.losses(logits, y)
        loss = losses.mean()
        self.record_train_loss(loss, len(x))
        for regularizer in self.regularizers:
            loss = loss + regularizer.penalty(self, x, logits, losses)
        return loss

    def losses(self, logits: Tensor, y: Tensor) -> Tensor:
        """The cross-entropy of each row (B,) that training lowers.

        The sum of a distribution in y (B, K) is the row's weight, which smoothing keeps: a row of zeros is left out.
        """
        smoothing = self.label_smoothing
        if y.ndim == 2 and smoothing:
            y, smoothing = (1 - smoothing) * y + smoothing / y.shape[1] * y.sum(1, keepdim=True), 0.0
        return F.cross_entropy(logits, y, label_smoothing=smoothing, reduction="none")

    def distributions(self, y: Tensor) -> Tensor:
        """Classes (B,) as distributions (B, num_classes) in the model's type; distributions as they are."""
        return F.one_hot(y, self.val_acc.num_classes).to(self.dtype) if y.ndim == 1 else y  # type: ignore[arg-type]

    def _evaluate(self, batch: tuple[Tensor, Tensor], loss: MeanMetric, acc: MulticlassAccuracy) -> dict[str, Tensor]:
        x, y = batch
        logits = self(x).float()
        loss.update(F.cross_entropy(logits, y), len(x))
        acc.update(logits, y if y.ndim == 1 else y.argmax(1))
        return {"logits": logits}

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return self._evaluate(batch, self.val_loss, self.val_acc)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return self._evaluate(batch, self.test_loss, self.test_acc)

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/acc", self.val_acc, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        self.log("test/acc", self.test_acc)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``label`` (B,) and ``probabilities`` (B, num_classes) for a batch ``x`` or ``(x, ...)``."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        probabilities = torch.softmax(self(x).float(), dim=1)
        return {"label": probabilities.argmax(1), "probabilities": probabilities}
