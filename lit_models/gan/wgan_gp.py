"""WGAN-GP: a critic whose gradient is held at norm 1, in place of a discriminator that classifies.

Gulrajani et al. 2017, "Improved training of Wasserstein GANs"; Arjovsky et al. 2017. Not in D2L.
The critic has no batch normalization, which would make a logit depend on the other images of the batch, and with it
the gradient of each image. The generator is DCGAN's.
Departs from the paper: DCGAN's layers and not residual blocks; the generator's weights are averaged for samples.

    dive fit gan/wgan_gp    digits of 5,000, offline

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

from torch import Tensor

from lit_models.cnn.lenet_features import lenet_features
from lit_models.gan.dcgan import DCGAN
from lit_models.tasks.adversarial_losses import Loss
from lit_models.tasks.image_adversarial import ImageAdversarial
from lit_models.tasks.trains import trains


class WGANGP(DCGAN):
    """A ``DCGAN`` whose discriminator, the critic, has no normalization.

    Args:
        in_channels: Channels of an image.
        image_size: Side S of an image, 4 or 7 times a power of two.
        num_classes: Classes of the data.
        latent_size: Numbers in the noise of an image.
        width: Channels of the widest feature maps.
        conditional: Both networks are told the class.
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 64,
        num_classes: int = 10,
        latent_size: int = 100,
        width: int = 64,
        conditional: bool = False,
    ) -> None:
        super().__init__(in_channels, image_size, num_classes, latent_size, width, conditional, batch_norm=False)


@trains(WGANGP)
class LitWGANGP(ImageAdversarial):
    """A WGAN-GP, with the paper's loss, weight of the penalty and number of critic steps.

    Args:
        loss: See ``Adversarial``.
        gradient_penalty: See ``Adversarial``.
        critic_steps: See ``Adversarial``.
        digits: Images are measured by a classifier of digits where the data says that they are digits; else, and
            with false, by their pixels.
        **task: See ``ImageAdversarial``.
    """

    def __init__(
        self,
        loss: Loss = "wasserstein",
        gradient_penalty: float = 10.0,
        critic_steps: int = 5,
        digits: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(loss=loss, gradient_penalty=gradient_penalty, critic_steps=critic_steps, **task)
        self.digits = digits

    def features(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        measured = self.digits and self.data_attribute("digits", False)
        return lenet_features(x.device)((x + 1) / 2) if measured else super().features(x)
