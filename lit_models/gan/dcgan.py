"""DCGAN: a generator of transposed convolutions, and a discriminator of strided ones.

Radford et al. 2016, "Unsupervised representation learning with deep convolutional generative adversarial networks".
D2L 20.2. Spectral normalization: Miyato et al. 2018. Classes by a projection: Miyato and Koyama 2018; in the generator
their embedding is multiplied by the noise.
Departs from the book: the scales of batch normalization begin around 1, not 0 (the book initializes them as weights,
N(0, 0.02)); losses are means and not sums; the learning rate is the paper's 0.0002 or the recipe's, not 0.005. As in
the book, and not in the paper, the discriminator normalizes its first layer too.

    dive fit gan/dcgan              digits of 5,000, offline
    dive generate gan/dcgan --grid  a picture of samples
    dive fit gan/dcgan_mnist        all of MNIST, the paper's learning rate

The numbers they reach are in RESULTS.md.
"""

import itertools
import math
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normalized

from lit_models.cnn.lenet_features import lenet_features
from lit_models.tasks.image_adversarial import ImageAdversarial
from lit_models.tasks.trains import trains


class Generator(nn.Module):
    """Noise (B, latent_size), classes (B,) if conditional -> images (B, in_channels, S, S) in [-1, 1].

    Args:
        latent_size: Numbers in the noise of an image.
        in_channels: Channels of an image.
        image_size: Side S: 4 times a power of two, or 7 times one (28 pixels).
        width: Channels before the last layer; 64 in paper and book.
        num_classes: Classes of a conditional generator; 0: none.
    """

    def __init__(
        self, latent_size: int, in_channels: int, image_size: int, width: int = 64, num_classes: int = 0
    ) -> None:
        super().__init__()
        start, doublings = first_side(image_size)
        channels = [width * 2**k for k in reversed(range(doublings))]
        self.embedding = nn.Embedding(num_classes, latent_size) if num_classes else None
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 1.0, 0.5)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent_size, channels[0], start, bias=False)
        ]  # (B, ., start, start)
        for fan_in, fan_out in zip(channels, [*channels[1:], in_channels], strict=True):
            layers += [nn.BatchNorm2d(fan_in), nn.ReLU(), nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(initialize)

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            noise = noise * self.embedding(classes)
        return self.layers(noise[..., None, None])


class Discriminator(nn.Module):
    """Images (B, in_channels, S, S), classes (B,) if conditional -> logits (B,).

    Args:
        in_channels, image_size, num_classes: As of the generator.
        width: Channels after the first layer.
        batch_norm: Normalize after each convolution but the last.
        spectral_norm: Divide each kernel by its largest singular value.
    """

    def __init__(
        self,
        in_channels: int,
        image_size: int,
        width: int = 64,
        num_classes: int = 0,
        batch_norm: bool = True,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()

        def wrapped(layer: nn.Module) -> nn.Module:
            return normalized(layer) if spectral_norm else layer

        start, halvings = first_side(image_size)
        channels = [in_channels, *(width * 2**k for k in range(halvings))]
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(channels):
            layers.append(wrapped(nn.Conv2d(fan_in, fan_out, 4, 2, 1, bias=not batch_norm)))
            layers += [nn.BatchNorm2d(fan_out)] * batch_norm + [nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*layers)  # (B, channels[-1], start, start)
        self.head = wrapped(nn.Conv2d(channels[-1], 1, start, bias=False))
        self.projection = wrapped(nn.Embedding(num_classes, channels[-1])) if num_classes else None
        self.apply(initialize)

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        features = self.features(x)
        logits = self.head(features).flatten()
        if self.projection is not None:
            logits = logits + (self.projection(classes) * features.sum((2, 3))).sum(1)
        return logits


def first_side(image_size: int) -> tuple[int, int]:
    """The side before the first doubling, 4 or 7, and how many follow.

    Raises:
        ValueError: ``image_size`` is neither 4 nor 7 times a power of two from 2 on.
    """
    for start in (4, 7):
        doublings = round(math.log2(max(image_size / start, 1)))
        if doublings and start * 2**doublings == image_size:
            return start, doublings
    raise ValueError(f"image_size is {image_size}: give 4 or 7 times a power of two, such as 28, 32 or 64")


def initialize(module: nn.Module) -> None:
    """The paper's: weights N(0, 0.02); scales of batch normalization N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class DCGAN(nn.Module):
    """The two networks of a DCGAN. Noise (B, latent_size) -> images (B, in_channels, S, S).

    Args:
        in_channels: Channels of an image.
        image_size: Side S of an image, 4 or 7 times a power of two.
        num_classes: Classes of the data.
        latent_size: Numbers in the noise of an image.
        width: Channels of the widest feature maps; 64 in paper and book.
        conditional: Both networks are told the class.
        batch_norm: In the discriminator; the generator has it always.
        spectral_norm: In the discriminator.
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 64,
        num_classes: int = 10,
        latent_size: int = 100,
        width: int = 64,
        conditional: bool = False,
        batch_norm: bool = True,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        self.latent_shape, self.num_conditions = (latent_size,), int(conditional)
        self.num_classes = num_classes if conditional else 0
        self.generator = Generator(latent_size, in_channels, image_size, width, self.num_classes)
        self.discriminator = Discriminator(in_channels, image_size, width, self.num_classes, batch_norm, spectral_norm)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.generator(*inputs)


@trains(DCGAN)
class LitDCGAN(ImageAdversarial):
    """A DCGAN.

    Args:
        digits: Images are measured by a classifier of digits where the data says that they are digits; else, and
            with false, by their pixels.
        **task: See ``ImageAdversarial``.
    """

    def __init__(self, digits: bool = False, **task: Any) -> None:
        super().__init__(**task)
        self.digits = digits

    def features(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        measured = self.digits and self.data_attribute("digits", False)
        return lenet_features(x.device)((x + 1) / 2) if measured else super().features(x)
