"""Adversarial training: on images that were changed so that the network errs.

Goodfellow et al. 2015 (FGSM, and the loss on clean and on changed images together); Madry et al. 2018 (PGD). Goodfellow
et al. 7.13. Departs from both papers: the attack sees the network as in evaluation, without dropout and with the
running statistics of batch normalization, which it leaves as they are.

    dive fit regularization/adversarial          1,000 MNIST digits, offline: accuracy under attack
    dive fit cnn/lenet -c regularizer/fgsm       one step
    dive fit cnn/lenet -c regularizer/pgd        four steps, five times the cost

``LitRobustLeNet`` is a LeNet whose validation and test are attacked too.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from common.messages import UserError
from lit_models.cnn.lenet import LeNet
from lit_models.functional.attacks import Losses, fgsm, pgd
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.regularizer import ATTACK, Regularizer, above_zero, between
from lit_models.tasks.trains import trains


class Adversarial(Regularizer):
    """A fraction of each batch, its first rows, is changed by at most ``epsilon`` a pixel so that its loss is large.

    Args:
        epsilon: The largest change of a pixel, of pixels in [0, 1]: 8 of 255 gray levels are 0.031.
        steps: 1 is FGSM; more are PGD from a random start.
        step: Length of a step of PGD; 0 means 2.5 epsilon / steps.
        fraction: Of the batch; 0.5 weighs clean and adversarial losses equally, as Goodfellow et al. do, who take both
            of the same images.
    """

    order = ATTACK
    needs = "images"

    def __init__(self, epsilon: float = 0.1, steps: int = 1, step: float = 0.0, fraction: float = 1.0) -> None:
        if epsilon > 1:
            raise UserError(
                f"Adversarial: epsilon is {epsilon:g}, but pixels are numbers in [0, 1]: of 255 gray levels give "
                f"{epsilon / 255:.3f}"
            )
        self.epsilon = above_zero(self, "epsilon", epsilon)
        self.steps = int(between(self, "steps", steps, 1))
        self.step = between(self, "step", step, 0)
        self.fraction = between(self, "fraction", fraction, 0, 1)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        rows = round(self.fraction * len(x))
        if not rows:
            return x, y
        was = task.training
        task.eval()
        try:
            changed = self.attack(lambda inputs: task.losses(task(inputs), y[:rows]), x[:rows])
        finally:
            task.train(was)
        return torch.cat([changed, x[rows:]]), y

    def attack(self, losses: Losses, x: Tensor) -> Tensor:
        """The changed images."""
        if self.steps == 1:
            return fgsm(losses, x, self.epsilon)
        start = self.epsilon * (2 * torch.rand_like(x) - 1)
        return pgd(losses, x, self.epsilon, self.step or 2.5 * self.epsilon / self.steps, self.steps, start)


@trains(LeNet)
class LitRobustLeNet(ImageClassifier):
    """LeNet; logs ``val/robust_acc`` and ``test/robust_acc``, the accuracy on images changed by PGD, too.

    Args:
        epsilon: The largest change of a pixel in [0, 1] in validation and test.
        attack_steps: Steps of PGD in the test; validation has a tenth of them, at least 2.
        **task: See ``ImageClassifier``.

    Raises:
        UserError: An argument is out of range.
    """

    def __init__(self, epsilon: float = 0.1, attack_steps: int = 20, **task: Any) -> None:
        super().__init__(**task)
        self.test_attack = Adversarial(epsilon, max(2, attack_steps))
        self.val_attack = Adversarial(epsilon, max(2, attack_steps // 10))
        classes = self.val_acc.num_classes
        self.val_robust = MulticlassAccuracy(classes, average="micro")
        self.test_robust = MulticlassAccuracy(classes, average="micro")

    def _attacked(self, batch: tuple[Tensor, Tensor], attack: Adversarial, found: MulticlassAccuracy) -> None:
        with torch.inference_mode(False):  # whose tensors have no gradient
            x, y = (part.clone() for part in batch)
            changed = attack.attack(lambda inputs: self.losses(self(inputs), y), x)
        found.update(self(changed).detach(), y)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        self._attacked(batch, self.val_attack, self.val_robust)
        return super().validation_step(batch, batch_idx)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        self._attacked(batch, self.test_attack, self.test_robust)
        return super().test_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        self.log("val/robust_acc", self.val_robust)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log("test/robust_acc", self.test_robust)
