"""Pseudo-labels: rows without a class learn the class that the network itself finds most probable.

Lee 2013, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks", a form of
entropy minimization. Goodfellow et al. 7.6. The loss is the mean cross-entropy of rows with a class plus alpha times
that of the others, where alpha rises from 0: an untrained network's predictions are worth nothing. Departs from the
paper: the network predicts as in evaluation, and a prediction below ``threshold`` is not learned. With few classes
shown it may well be worse than leaving the other rows out: what is wrong at first is learned, too.

    dive fit cnn/lenet -c regularizer/pseudo_labels                                   500 of 3,500 classes are shown
    dive fit cnn/lenet -c regularizer/pseudo_labels --model.regularizers.weight 0     the 500 alone
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from lit_models.tasks.regularizer import LABELS, Regularizer, above_zero, between


class PseudoLabels(Regularizer):
    """Gives the rows whose class is -1 (``callbacks.split_rows.FewLabels``) a class, or leaves them out of the loss.

    Args:
        weight: The largest alpha.
        start: The part of the run at which alpha begins to rise.
        end: The part of the run at which it has risen.
        threshold: The least probability of a class that is learned.
    """

    order = LABELS - 0.5  # what follows sees distributions

    def __init__(self, weight: float = 1.0, start: float = 0.2, end: float = 0.6, threshold: float = 0.9) -> None:
        self.weight = between(self, "weight", weight, 0)
        self.start, self.end = between(self, "start", start, 0, 1), above_zero(self, "end", end)
        self.threshold = between(self, "threshold", threshold, 0, 1)
        if not start < end <= 1:
            raise UserError(f"PseudoLabels: start {start} and end {end}: give 0 <= start < end <= 1")

    def alpha(self, done: float) -> float:
        """The weight of the rows without a class after a part of the run."""
        return self.weight * min(max((done - self.start) / (self.end - self.start), 0.0), 1.0)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if y.ndim != 1:
            raise UserError("PseudoLabels needs classes as targets: leave it out for distributions")
        hidden = y < 0
        if not hidden.any():
            return x, y
        known = F.one_hot(y.clamp(min=0), task.val_acc.num_classes).to(task.dtype)
        known = known * (len(y) / max(int((~hidden).sum()), 1))  # the loss is the mean over all rows of the batch
        alpha = self.alpha(progress(task))
        if not alpha:
            return x, torch.where(hidden[:, None], torch.zeros_like(known), known)
        was = task.training
        task.eval()
        try:
            with torch.no_grad():
                probabilities = torch.softmax(task(x[hidden]).float(), dim=1)
        finally:
            task.train(was)
        sure, found = probabilities.max(1)
        labels = F.one_hot(found, probabilities.shape[1]).to(task.dtype)
        labels = labels * (sure >= self.threshold).to(task.dtype)[:, None] * (alpha * len(y) / int(hidden.sum()))
        targets = known.clone()
        targets[hidden] = labels
        return x, targets


def progress(task: Any) -> float:
    """The part of the run that is done; 1 where its length is not known."""
    if task._trainer is None:
        return 1.0
    total = task.trainer.estimated_stepping_batches
    return float(task.global_step / total) if 0 < total < float("inf") else 1.0
