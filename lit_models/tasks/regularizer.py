"""What a regularizer of a classifier is: something that changes a training batch, adds to its loss, or both.

Goodfellow et al. 7. ``Classifier`` has a list of them, ``regularizers``; any recipe of a classifier takes one by a
preset, and several by several::

    dive fit cnn/lenet -c regularizer/mixup -c regularizer/label_noise -c regularizer/l1

They share a batch and a loss, so their order matters. It is the one below, whatever the order on the command line:

1. ``PICTURES``: changes that keep the class (RandAugment, random erasing, noise);
2. ``LABELS``: pseudo-labels, label noise;
3. ``MIXING``: mixup, then CutMix, which turn classes into distributions over classes;
4. ``ATTACK``: adversarial samples, for the batch as it is by now;
5. the network and the cross-entropy, with label smoothing;
6. ``PENALTY``: what is added to the loss: activities, a second task, derivatives, weights.

What regularizes between steps (max-norm, noise on weights and gradients, averages of weights) is a callback, and comes
by a preset too. The implementations are in ``lit_models/regularization``.
"""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn

from common.messages import UserError

PICTURES, LABELS, MIXING, ATTACK, PENALTY = range(5)


class Regularizer:
    """Base of all. A subclass has ``order`` and one of the two methods; it draws from torch's global generators only,
    which a run saves, so that a resumed run draws the same.
    """

    order: float = PICTURES
    #: What x must be: ``images`` (B, C, H, W), ``numbers``, or anything.
    needs: Literal["images", "numbers", ""] = ""
    #: Whether ``penalty`` differentiates with respect to x.
    needs_input_gradient = False

    def build(self, net: nn.Module) -> nn.Module | None:
        """Layers of its own, which become a part of the model: ``task.second_heads[CLASS]``.

        Args:
            net: The classifier's network.
        """
        return None

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The batch to train on.

        Args:
            task: The classifier.
            x: Inputs (B, ...).
            y: Classes (B,), or distributions (B, num_classes).
        """
        return x, y

    def penalty(self, task: Any, x: Tensor, logits: Tensor, losses: Tensor) -> Tensor | float:
        """What is added to the loss.

        Args:
            task: The classifier.
            x: The inputs that the logits are of.
            logits: (B, num_classes).
            losses: The cross-entropy of each row (B,).
        """
        return 0.0


def in_order(regularizers: Sequence[Regularizer] | None) -> list[Regularizer]:
    """The regularizers in the order in which they act; two of a kind by their arguments."""
    return sorted(regularizers or [], key=lambda r: (r.order, type(r).__name__, str(sorted(vars(r).items(), key=str))))


def refuse_inputs(regularizer: Regularizer, x: Any) -> None:
    """Raises ``UserError`` where x is not what the regularizer needs."""
    name = type(regularizer).__name__
    real = isinstance(x, Tensor) and x.is_floating_point()
    if regularizer.needs and not real:
        raise UserError(f"{name} needs inputs that are real numbers; this data has tokens: leave it out")
    if regularizer.needs == "images" and x.ndim != 4:
        raise UserError(f"{name} needs images (B, C, H, W); a batch here is {tuple(x.shape)}: leave it out")


def between(owner: object, name: str, value: float, least: float, most: float = float("inf")) -> float:
    """The value. Raises ``UserError`` if it is not a number from ``least`` to ``most``."""
    if not least <= value <= most:
        upper = "" if most == float("inf") else f" and at most {most:g}"
        raise UserError(f"{type(owner).__name__}: {name} is {value}: give a number of at least {least:g}{upper}")
    return value


def above_zero(owner: object, name: str, value: float, remedy: str = "") -> float:
    """The value. Raises ``UserError`` if it is not above 0."""
    if not 0 < value < float("inf"):
        raise UserError(f"{type(owner).__name__}: {name} is {value}: give a number above 0{remedy}")
    return value
