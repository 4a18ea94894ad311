"""Softmax regression: a linear classifier, with the softmax and the cross-entropy by hand.

D2L 4.1, 4.4, 4.5.
Departs from the book: 4.4 takes exp and log as the formulas stand, which overflows for logits above 88 in single
precision; here the largest logit is subtracted first, as 4.5 explains and leaves to the library.

    dive fit linear/softmax_regression                  5,000 real MNIST digits, offline
    dive fit linear/softmax_regression_mnist            the book's recipe on all of MNIST
    dive fit linear/softmax_regression_fashion_mnist    the book's recipe on its own data

The numbers they reach are in RESULTS.md.
"""

from typing import Any

from torch import Tensor, nn

from lit_models.layers.precision import at_least_float32
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import flat_size, trains


def log_sum_exp(logits: Tensor) -> Tensor:
    """log of the sum of exp over classes: (B, C) -> (B, 1). With the largest subtracted, no exponent is above zero."""
    largest = logits.amax(dim=1, keepdim=True).detach()
    return largest + (logits - largest).exp().sum(dim=1, keepdim=True).log()


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities: (B, C) -> (B, C)."""
    return logits - log_sum_exp(logits)


def cross_entropy(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The mean negative log-probability of the target, in nats; half precision gives single, as in the library.

    Args:
        logits: (B, C).
        target: Classes (B,) or distributions over classes (B, C).
        label_smoothing: Fraction of the target spread evenly over all classes.
    """
    log_p = log_softmax(at_least_float32(logits))
    if target.ndim == 1:
        surprise = -log_p.gather(1, target[:, None])[:, 0]  # (B,)
    else:
        surprise = -(target * log_p).sum(dim=1)
    if label_smoothing:
        surprise = (1 - label_smoothing) * surprise - label_smoothing * log_p.mean(dim=1)
    return surprise.mean()


class SoftmaxRegression(nn.Module):
    """One score for each class, a weighted sum of the features. (B, ...) -> (B, num_classes) logits.

    Args:
        num_features: Numbers in one sample once it is flattened.
        num_classes: Number of logits.
    """

    def __init__(self, num_features: int = 784, num_classes: int = 10) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1))


@trains(SoftmaxRegression, num_features=flat_size)
class LitSoftmaxRegression(Classifier):
    """Softmax regression trained with the cross-entropy above.

    Args:
        by_hand: False takes the library's cross-entropy: the same numbers (``dive verify``) in a third of the time,
            which matters for a step as short as this one.
        **task: See ``Classifier``.
    """

    def __init__(self, by_hand: bool = True, **task: Any) -> None:
        super().__init__(**task)
        self.by_hand = by_hand

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        if not self.by_hand:
            return super().training_step(batch, batch_idx)
        x, y = batch
        loss = cross_entropy(self(x), y, self.label_smoothing)
        self.record_train_loss(loss, len(x))
        return loss
