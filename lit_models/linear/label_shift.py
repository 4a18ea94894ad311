"""Label shift: the frequencies of the classes change, the inputs of each class do not.

Lipton, Wang and Smola 2018, "Detecting and Correcting for Label Shift with Black Box Predictors". D2L 4.7.3.4, which
has no code. Any classifier f with an invertible confusion matrix C (column i: f's predictions for class i) gives the
new frequencies q from its mean predictions mu on unlabeled target inputs, since C q = mu. Training then weights each
row by q(y) / p(y).
Departs from the book: noise can make parts of the solution negative; these are set to zero.

    dive fit linear/label_shift                             three clouds, the rare one has become frequent, offline
    dive fit linear/label_shift --model.weighted false      ignores the shift

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.linear.softmax_regression import SoftmaxRegression, cross_entropy
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains


def confusion_columns(predicted: Tensor, y: Tensor, num_classes: int) -> Tensor:
    """C with C[j, i] the fraction of class i that is predicted as j: columns sum to 1.

    Args:
        predicted, y: Classes (N,).
        num_classes: K of the (K, K) result.

    Raises:
        UserError: A class has no row.
    """
    counts = torch.zeros(num_classes, num_classes, dtype=torch.float64)
    counts.index_put_((predicted, y), torch.ones(len(y), dtype=torch.float64), accumulate=True)
    if bool((counts.sum(0) == 0).any()):
        absent = int((counts.sum(0) == 0).nonzero()[0])
        raise UserError(f"class {absent} has no validation row: its share in the target cannot be estimated")
    return counts / counts.sum(0)


def target_priors(confusion: Tensor, mean_prediction: Tensor) -> Tensor:
    """Frequencies q (K,) of the classes in the target: the solution of C q = mu, made a distribution.

    Raises:
        UserError: C cannot be inverted, for example if the classifier does not predict one of the classes.
    """
    if float(torch.linalg.cond(confusion)) > 1e6:
        raise UserError("the confusion matrix cannot be inverted: the classifier behind it takes classes for one")
    q = torch.linalg.solve(confusion, mean_prediction).clamp(min=0)
    return q / q.sum()


def fit_softmax(x: Tensor, y: Tensor, num_classes: int, weights: Tensor | None = None) -> SoftmaxRegression:
    """Softmax regression at its optimum, by L-BFGS on all rows at once.

    Args:
        x: Inputs (N, ...).
        y: Classes (N,).
        num_classes: Number of classes.
        weights: Of the rows (N,).
    """
    net = SoftmaxRegression(x[0].numel(), num_classes)
    descent = torch.optim.LBFGS(net.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        descent.zero_grad()
        loss = weighted_cross_entropy(net(x), y, weights)
        loss.backward()
        return loss

    descent.step(closure)  # type: ignore[arg-type]
    return net


def weighted_cross_entropy(
    logits: Tensor, y: Tensor, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """The mean of weight * negative log-likelihood in nats; logits (B, K), y (B,), weights (B,) or None for ones.

    ``label_smoothing`` is the fraction of a row's weight that is spread evenly over all classes.
    """
    if weights is None:
        return cross_entropy(logits, y, label_smoothing)
    rows = torch.nn.functional.one_hot(y, logits.shape[1])  # (B, K)
    rows = (1 - label_smoothing) * rows + label_smoothing / logits.shape[1]
    return cross_entropy(logits, rows * weights[:, None])


@trains(SoftmaxRegression)
class LitLabelShift(Classifier):
    """Softmax regression trained on rows weighted by class. The weights are estimated once, before training.

    Its datamodule supplies ``target_x``, inputs of the target without labels; without it every weight is 1.
    ``class_weights`` (K,) is a buffer: q(y) / p(y).

    Args:
        num_classes: Number of classes.
        num_features: Length of x.
        weighted: False ignores the shift.
        **task: See ``Classifier``.
    """

    class_weights: Tensor

    def __init__(self, num_classes: int = 3, num_features: int = 2, weighted: bool = True, **task: Any) -> None:
        super().__init__(num_classes, **task)
        self.register_buffer("class_weights", torch.ones(num_classes))
        self.weighted = weighted

    def setup(self, stage: str) -> None:
        splits, target_x = self.data_attribute("splits"), self.data_attribute("target_x")
        if stage != "fit" or not self.weighted or not splits or target_x is None:
            return
        (x, y), (x_val, y_val) = splits["train"][:2], splits["val"][:2]
        k = len(self.class_weights)
        black_box = fit_softmax(x, y, k)
        with torch.no_grad():
            answers = black_box(target_x).argmax(1)
            confusion = confusion_columns(black_box(x_val).argmax(1), y_val, k)
        q = target_priors(confusion, torch.bincount(answers, minlength=k).double() / len(answers))
        p = torch.bincount(y, minlength=k).double() / len(y)
        self.class_weights.copy_(q / p)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = weighted_cross_entropy(self(x), y, self.class_weights[y], self.label_smoothing)
        self.record_train_loss(loss, len(x))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """The loss is weighted as in training; the accuracy is the source's."""
        x, y = batch
        logits = self(x)
        self.val_loss.update(weighted_cross_entropy(logits, y, self.class_weights[y]), len(x))
        self.val_acc.update(logits, y)
        return {"logits": logits}
