"""``confusion.png``: which class is taken for which, and the mistakes that the network was surest of."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_confusion_matrix

from callbacks.pictures.figures import new_figure, show


class ConfusionMatrix(Callback):
    """Collects ``outputs["logits"]`` of the test batches ``(x, y)``; images x (B, C, H, W) in [0, 1] are shown.

    Args:
        num_mistakes: How many of the worst mistakes are kept, those with the largest loss.
    """

    def __init__(self, num_mistakes: int = 24) -> None:
        self.num_mistakes = num_mistakes
        self.counts: Tensor | None = None
        self.mistakes: list[tuple[float, int, int, Tensor | None]] = []  # (loss, truth, prediction, image)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        x, y = batch[0], batch[-1]
        logits = outputs["logits"]
        counts = multiclass_confusion_matrix(logits, y, num_classes=logits.shape[1])
        self.counts = counts if self.counts is None else self.counts + counts
        loss = F.cross_entropy(logits, y, reduction="none")
        wrong = (logits.argmax(1) != y).nonzero().flatten()
        for i in wrong[loss[wrong].argsort(descending=True)][: self.num_mistakes].tolist():
            image = x[i].detach().cpu() if x.ndim == 4 else None
            self.mistakes.append((loss[i].item(), int(y[i]), int(logits[i].argmax()), image))
        self.mistakes = sorted(self.mistakes, key=lambda m: -m[0])[: self.num_mistakes]

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        counts, mistakes = self.counts, self.mistakes
        self.counts, self.mistakes = None, []
        if counts is None:
            return
        if trainer.world_size > 1:
            counts = trainer.strategy.reduce(counts, reduce_op="sum")
            gathered: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, mistakes)
            mistakes = sorted((m for part in gathered for m in part), key=lambda m: -m[0])[: self.num_mistakes]
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            names = getattr(getattr(trainer, "datamodule", None), "class_names", None)
            show(trainer, draw_confusion(counts.cpu(), mistakes, names), "confusion")


def draw_confusion(
    counts: Tensor, mistakes: list[tuple[float, int, int, Tensor | None]], names: list[str] | None
) -> Figure:
    """Draws counts (K, K), rows the truth, shaded by the share of their row, beside a grid of the mistakes' images."""
    k = len(counts)
    names = names if names and len(names) == k else [str(i) for i in range(k)]
    pictures = [m for m in mistakes if m[3] is not None]
    figure = new_figure(11 if pictures else 5.5, 5)
    left, right = figure.subfigures(1, 2) if pictures else (figure, None)  # type: ignore[misc]
    ax = left.subplots()
    share = counts / counts.sum(1, keepdim=True).clamp(min=1)
    ax.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1)
    accuracy = counts.diagonal().sum() / counts.sum()
    ax.set(title=f"accuracy {accuracy:.4f} of {int(counts.sum())}", xlabel="predicted", ylabel="truth")
    if k <= 30:
        ax.set_xticks(range(k), names, rotation=45, ha="right")
        ax.set_yticks(range(k), names)
    if k <= 12:
        for i in range(k):
            for j in range(k):
                if counts[i, j]:
                    colour = "white" if share[i, j] > 0.5 else "black"
                    ax.text(j, i, str(int(counts[i, j])), ha="center", va="center", color=colour, fontsize="small")
    if right is not None:
        columns = 6
        grid = right.subplots(-(-len(pictures) // columns), columns, squeeze=False)
        right.suptitle("most confident errors: truth > prediction")
        for cell in grid.flat:
            cell.axis("off")
        for cell, (_, truth, prediction, image) in zip(grid.flat, pictures, strict=False):
            assert image is not None
            picture = image.permute(1, 2, 0).clamp(0, 1).float().numpy()
            cell.imshow(picture if picture.shape[2] == 3 else picture[..., 0], cmap="gray")
            cell.set_title(f"{names[truth]} > {names[prediction]}", fontsize="x-small")
    return figure
