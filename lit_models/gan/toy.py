"""Adversarial training of points in the plane, where it can be seen whether a distribution was learned.

Goodfellow et al. 2014. D2L 20.1. The mixtures are those of Metz et al. 2017 and Srivastava et al. 2017, the gradient
penalty that of Gulrajani et al. 2017.
Departs from the book: losses are means over the batch instead of sums, and the discriminator's is the sum of its two
parts instead of their half; with Adam neither changes a step.

    dive fit gan/toy      the book's normal distribution, offline
    dive fit gan/ring     a ring of eight, by WGAN-GP; its ablation has no gradient penalty, and loses modes
    dive fit gan/grid     a grid of 25

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from lit_models.functional.generated_pictures import frechet_distance
from lit_models.functional.point_measures import modes_covered, moments
from lit_models.tasks.adversarial import Adversarial
from lit_models.tasks.trains import trains

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


class ToyGAN(nn.Module):
    """Two networks of dense layers: noise (B, latent_size) -> points (B, 2) -> logits (B,).

    Args:
        latent_size: Numbers in the noise of a point.
        generator_sizes: Hidden layers of the generator; none: an affine map, as in the book.
        discriminator_sizes: Hidden layers of the discriminator; 5 and 3 in the book.
        activation: Between layers; the book's is tanh.
        init_std: Standard deviation of all initial weights and biases; 0.02 in the book. 0: torch's initialization.
        spectral_norm: Divide each weight of the discriminator by its largest singular value (Miyato et al. 2018).
    """

    def __init__(
        self,
        latent_size: int = 2,
        generator_sizes: Sequence[int] = (),
        discriminator_sizes: Sequence[int] = (5, 3),
        activation: Literal["tanh", "relu"] = "tanh",
        init_std: float = 0.0,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        self.latent_shape = (latent_size,)
        self.generator = dense([latent_size, *generator_sizes, 2], ACTIVATIONS[activation])
        self.discriminator = nn.Sequential(
            dense([2, *discriminator_sizes, 1], ACTIVATIONS[activation], spectral_norm), nn.Flatten(0)
        )
        for p in self.parameters() if init_std else ():
            nn.init.normal_(p, std=init_std)

    def forward(self, noise: Tensor) -> Tensor:
        return self.generator(noise)


def dense(sizes: Sequence[int], activation: type[nn.Module], spectral_norm: bool = False) -> nn.Sequential:
    """Dense layers of these sizes with an activation between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layer = nn.Linear(fan_in, fan_out)
        layers += [nn.utils.parametrizations.spectral_norm(layer) if spectral_norm else layer, activation()]
    return nn.Sequential(*layers[:-1])


@trains(ToyGAN)
class LitToyGAN(Adversarial):
    """Adversarial training of points, measured by what is known of their distribution.

    With the data's ``true_mean`` and ``true_covariance`` it logs ``mean_error``, ``covariance_error`` relative to the
    true covariance (Frobenius), and ``frechet``, the Fréchet distance of the points from the split; with several
    ``modes``, ``modes`` and ``good``, the number of modes that are covered and the fraction of points within three
    standard deviations of one. ``discriminator_loss`` is 2 ln 2 = 1.39 where a discriminator with the non-saturating
    loss cannot tell the two.
    """

    def measures(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        found = super().measures(rows)
        fake = rows["fake"].cpu()
        mean, covariance = self.data_attribute("true_mean"), self.data_attribute("true_covariance")
        if mean is not None and len(fake) > 1:
            mean, covariance = mean.double(), covariance.double()
            of_mean, of_covariance = moments(fake)
            found["frechet"] = frechet_distance(rows["real"].cpu(), fake)
            found["mean_error"] = (of_mean - mean).norm()
            found["covariance_error"] = (of_covariance - covariance).norm() / covariance.norm()
        modes = self.data_attribute("modes")
        if modes is not None and len(modes) > 1:
            found["modes"], found["good"] = modes_covered(fake, modes, self.data_attribute("mode_std"))
        return found
