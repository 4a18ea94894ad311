"""What a denoiser predicts, from which both the data and the noise in x = a data + s noise follow.

- ``epsilon``: the noise. Ho et al. 2020. Undetermined where no data is left (a = 0).
- ``x0``: the data.
- ``v``: a noise - s data. Salimans and Ho 2022. For data of variance 1 it is what the preconditioning of Karras et al.
  2022 lets a network learn, up to its sign.
- ``flow``: noise - data, the velocity of a straight line. Lipman et al. 2023.
- ``edm``: what is missing in the best linear estimate of the data from x, if the data's standard deviation is
  ``SIGMA_DATA``; divided by its own standard deviation. The network's input is x divided by its standard deviation.
  Karras et al. 2022, table 1.

An error in one is an error in each other one, times a factor that depends on the level: squared errors of two of them
under the same weights are different losses. ``loss_weight`` converts.
"""

from typing import Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "x0", "v", "flow", "edm"]
Factor = float | Tensor
SIGMA_DATA = 0.5  # Karras et al., for pictures in [-1, 1]; MNIST's digits have 0.6


def input_scale(kind: Prediction, a: Factor, s: Factor) -> Factor:
    """What x is multiplied by before the network sees it: c_in of Karras et al., 1 of the others."""
    return (s**2 + (a * SIGMA_DATA) ** 2) ** -0.5 if kind == "edm" else 1.0


def target(kind: Prediction, data: Tensor, noise: Tensor, a: Factor, s: Factor) -> Tensor:
    """What the network should predict."""
    if kind == "epsilon":
        return noise
    if kind == "x0":
        return data
    if kind == "edm":
        total = s**2 + (a * SIGMA_DATA) ** 2
        return (s * data - a * SIGMA_DATA**2 * noise) / (SIGMA_DATA * total**0.5)
    return a * noise - s * data if kind == "v" else noise - data


def parts(kind: Prediction, prediction: Tensor, x: Tensor, a: Factor, s: Factor) -> tuple[Tensor, Tensor]:
    """The data and the noise that a prediction says ``x`` consists of."""
    if kind == "epsilon":
        return (x - s * prediction) / a, prediction
    if kind == "x0":
        return prediction, (x - a * prediction) / s
    if kind == "v":
        norm = a**2 + s**2
        return (a * x - s * prediction) / norm, (s * x + a * prediction) / norm
    if kind == "edm":
        total = s**2 + (a * SIGMA_DATA) ** 2
        data = a * SIGMA_DATA**2 / total * x + s * SIGMA_DATA / total**0.5 * prediction
        return data, (x - a * data) / s
    data = (x - s * prediction) / (a + s)
    return data, data + prediction


def loss_weight(kind: Prediction, a: Tensor, s: Tensor, min_snr: float) -> Tensor:
    """The weight of a squared error of ``kind`` so that the loss is min(SNR, min_snr) times that of the data.

    Hang et al. 2023, "Efficient diffusion training via min-SNR weighting strategy". With min_snr 0 all weights are 1.
    """
    if not min_snr:
        return torch.ones_like(a)
    weight = ((a / s) ** 2).clamp(max=min_snr)
    if kind == "x0":
        return weight
    if kind == "epsilon":
        return torch.where(a > 0, weight / (a / s).clamp(min=1e-20) ** 2, 1.0)
    if kind == "edm":
        return weight * (s * SIGMA_DATA) ** 2 / (s**2 + (a * SIGMA_DATA) ** 2)
    return weight * (s / (a**2 + s**2 if kind == "v" else a + s)) ** 2


def guide(conditional: Tensor, unconditional: Tensor, guidance: float, rescale: float = 0.0) -> Tensor:
    """Classifier-free guidance: what the class changes, ``guidance`` times. Ho and Salimans 2022.

    1 is the conditional prediction, 0 the unconditional one. The paper's w is ``guidance - 1``.

    Args:
        conditional, unconditional: Predictions (B, ...).
        guidance: The factor.
        rescale: How much of the result's larger standard deviation is taken back. Lin et al. 2024, equation 16.
    """
    guided = unconditional + guidance * (conditional - unconditional)
    if rescale:
        dims = tuple(range(1, guided.ndim))
        ratio = conditional.std(dims, keepdim=True) / guided.std(dims, keepdim=True)
        guided = guided * (rescale * ratio + 1 - rescale)
    return guided
