"""A hundred modes, counted: WGAN-GP on pairs of digits.

Gulrajani et al. 2017; the count of modes is that of Metz et al. 2017, "Unrolled generative adversarial networks", who
stack three digits. Not in D2L.
A picture has a digit in each of two channels, so that there are a hundred kinds of picture. An independent classifier
reads both digits of each sample: how many kinds are there, and how far are their frequencies from equal ones? A
generator that has lost modes shows it in both numbers.

    dive fit gan/pairs                  5,000 digits, paired, at 16 pixels, offline
    dive fit gan/pairs --model.loss non_saturating --model.gradient_penalty 0 --model.critic_steps 1    the plain GAN

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any

import torch
from torch import Tensor

from lit_models.cnn.lenet_features import lenet_features
from lit_models.gan.wgan_gp import WGANGP
from lit_models.tasks.adversarial_losses import Loss
from lit_models.tasks.image_adversarial import ImageAdversarial
from lit_models.tasks.trains import trains


@trains(WGANGP)
class LitPairs(ImageAdversarial):
    """WGAN-GP of pictures with a digit in each of two channels. Batch: ``(x, y)``, x (B, 2, S, S) in [0, 1].

    Besides what ``ImageAdversarial`` logs, with ``classes`` out of a hundred: ``test/modes``, how many of the hundred
    pairs are among the samples, and ``test/kl_uniform``, the divergence in nats of their frequencies from equal ones.
    Of N samples that are spread evenly it is about 50 / N.

    Args:
        loss: See ``Adversarial``.
        gradient_penalty: See ``Adversarial``.
        critic_steps: See ``Adversarial``.
        **task: See ``ImageAdversarial``.
    """

    def __init__(
        self, loss: Loss = "wasserstein", gradient_penalty: float = 10.0, critic_steps: int = 5, **task: Any
    ) -> None:
        super().__init__(loss=loss, gradient_penalty=gradient_penalty, critic_steps=critic_steps, **task)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """LeNet's features of both digits (B, 168), and the logarithms of the probabilities of all pairs (B, 100)."""
        network = lenet_features(x.device)
        both = [network((digit + 1) / 2) for digit in x.split(1, 1)]
        first, second = (logits.log_softmax(1) for _, logits in both)
        return torch.cat([features for features, _ in both], 1), (first[:, :, None] + second[:, None]).flatten(1)

    def measures(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        found = super().measures(rows)
        counts = rows["fake_classes"].argmax(1).bincount(minlength=rows["fake_classes"].shape[1]).double()
        part = counts / counts.sum()
        return found | {
            "modes": (counts > 0).sum(),
            "kl_uniform": math.log(len(part)) + torch.xlogy(part, part).sum(),
        }
