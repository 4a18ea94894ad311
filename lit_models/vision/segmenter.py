"""Semantic segmentation: a class for each pixel. The steps that segmentation networks share.

Batch: ``(x, y)``, x (B, C, H, W) in [0, 1], y (B, H, W) classes; 255 is void: such pixels are in no loss and no metric.

The number is the mean intersection over union, mIoU, of the whole split, over the classes that occur in its truth. The
book shows the fraction of right pixels, which is high if everything is called background.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassConfusionMatrix

from lit_models.layers.precision import at_least_float32
from lit_models.layers.pretrained import normalize
from lit_models.tasks.task import Task

VOID = 255


class Segmenter(Task):
    """Trains ``self.net``, which maps x to logits (B, num_classes, H, W), by the mean cross-entropy of a pixel, in
    nats.

    Logs ``train/loss``, ``val/loss``, ``val/miou``, ``test/miou``, ``test/pixel_acc`` and each class's ``test/iou_k``.

    Args:
        num_classes: Number of classes, the background among them.
        image_size: Height and width of the image in pixels, for ``dive describe`` and exports.
        balance: Weigh the pixels of a class by the median of the classes' frequencies divided by its own (Eigen and
            Fergus 2015): otherwise a class of few pixels is learned last. Frequencies are those of the training masks.
        **task: See ``Task``.
    """

    class_weights: Tensor  # (num_classes,)
    output_means = "Logits (B, K, H, W): argmax over dimension 1 gives the class of each pixel (class_names)."

    def __init__(self, num_classes: int, image_size: int = 256, balance: bool = False, **task: Any) -> None:
        super().__init__(**task)
        self.num_classes, self.balance = num_classes, balance
        self.register_buffer("class_weights", torch.ones(num_classes))
        self.val_loss = MeanMetric()
        self.val_counts = MulticlassConfusionMatrix(num_classes, ignore_index=VOID)
        self.test_counts = MulticlassConfusionMatrix(num_classes, ignore_index=VOID)

    def setup(self, stage: str) -> None:
        train = (self.data_attribute("splits") or {}).get("train")
        if stage == "fit" and self.balance and train is not None:
            self.class_weights = median_frequency_weights(train[1], self.num_classes).to(self.device)

    def forward(self, *inputs: Tensor) -> Any:
        return self.net(*(normalize(x) if self.weights_from == "published" else x for x in inputs))

    def pixel_loss(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The weighted mean loss over the pixels that are not void, the sum of their weights, and the logits."""
        x, y = batch
        logits = at_least_float32(self(x))
        weights = self.class_weights.to(logits.dtype)
        total = F.cross_entropy(logits, y, weights, ignore_index=VOID, reduction="sum")
        count = weights[y.clamp(max=self.num_classes - 1)].mul(y != VOID).sum()  # in the precision of the loss
        return total / count.clamp(min=torch.finfo(count.dtype).tiny), count, logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss, count, _ = self.pixel_loss(batch)
        self.record_train_loss(loss, count)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        loss, count, logits = self.pixel_loss(batch)
        self.val_loss.update(loss, count)
        self.val_counts.update(logits.argmax(1), batch[1])

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        found = self(batch[0]).argmax(1)
        self.test_counts.update(found, batch[1])
        return {"classes": found}

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/miou", mean_iou(self.val_counts.compute()), prog_bar=True, sync_dist=True)  # equal on all ranks
        self.val_counts.reset()

    def on_test_epoch_end(self) -> None:
        counts = self.test_counts.compute()
        self.test_counts.reset()
        found = {"test/miou": mean_iou(counts), "test/pixel_acc": counts.diagonal().sum() / counts.sum().clamp(min=1)}
        by_class = {f"test/iou_{k}": value for k, value in enumerate(class_iou(counts))}
        self.log_dict({name: value.float() for name, value in {**found, **by_class}.items()}, sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int) -> list[Tensor]:
        """The classes (H, W) of each picture of a batch ``x`` or ``(x, ...)``, uint8."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return list(self(x).argmax(1).to(torch.uint8))


def median_frequency_weights(masks: Tensor, num_classes: int) -> Tensor:
    """The weights (num_classes,) of the classes in masks (N, H, W): 0 for a class that does not occur."""
    counts = masks.flatten().long().bincount(minlength=VOID + 1)[:num_classes].double()
    weights = counts[counts > 0].median() / counts
    return torch.where(counts > 0, weights, 0.0).float()


def class_iou(counts: Tensor) -> Tensor:
    """Intersection over union (K,) of each class from a confusion matrix (K, K), rows the truth; -1 where it does
    not occur.
    """
    counts = counts.double()
    hit, truth = counts.diagonal(), counts.sum(1)
    return torch.where(truth > 0, hit / (truth + counts.sum(0) - hit).clamp(min=1), -1.0)


def mean_iou(counts: Tensor) -> Tensor:
    """The mean over the classes that occur; 0 if there is no pixel."""
    found = class_iou(counts)
    occurs = found >= 0
    return (found.clamp(min=0).sum() / occurs.sum().clamp(min=1)).float()
