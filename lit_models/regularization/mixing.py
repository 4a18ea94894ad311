"""Mixup and CutMix: training on mixtures of two samples, with the mixture of their classes as the target.

Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"; Yun et al. 2019, "CutMix". D2L 14.1 has neither.
Departs from the papers: a batch has one weight there, here each sample has a draw of its own. With equal draws the
batch is torchvision's (``v2.MixUp``, ``v2.CutMix``).

    dive fit cnn/lenet -c regularizer/mixup
    dive fit cnn/lenet -c regularizer/cutmix
"""

from typing import Any

import torch
from torch import Tensor

from lit_models.tasks.regularizer import MIXING, Regularizer, above_zero

SWITCH = "; without the regularizer nothing is mixed"


class Mixup(Regularizer):
    """Each sample becomes w x + (1 - w) x' with another sample x' of the batch; w from Beta(alpha, alpha).

    Args:
        alpha: Of the Beta distribution: 0.2 mixes few samples much, 1 all weights alike.
    """

    order = MIXING
    needs = "numbers"

    def __init__(self, alpha: float = 0.4) -> None:
        self.alpha = above_zero(self, "alpha", alpha, SWITCH)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        weight = beta(self.alpha, x)
        order = torch.randperm(len(x), device=x.device)
        return mix(x, weight, order), mix(task.distributions(y), weight, order)


class CutMix(Regularizer):
    """A rectangle of each image is that of another image of the batch; the target is mixed by the areas.

    Args:
        alpha: Of Beta(alpha, alpha), from which the fraction of the image that stays is drawn.
    """

    order = MIXING + 0.5
    needs = "images"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = above_zero(self, "alpha", alpha, SWITCH)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        order = torch.randperm(len(x), device=x.device)
        center = torch.rand(len(x), 2, device=x.device)
        inside = boxes(beta(self.alpha, x), center, x.shape[-2], x.shape[-1])
        stays = 1 - inside.to(x.dtype).mean((1, 2))
        mixed = torch.where(inside[:, None], x[order], x)
        return mixed, mix(task.distributions(y), stays, order)


def beta(alpha: float, like: Tensor) -> Tensor:
    """A number (B,) from Beta(alpha, alpha) for each row of ``like`` (B, ...), on its device, in its type."""
    concentration = torch.full((len(like),), alpha, dtype=torch.float64, device=like.device)
    return torch.distributions.Beta(concentration, concentration).sample().to(like.dtype)


def mix(rows: Tensor, weight: Tensor, order: Tensor) -> Tensor:
    """weight * rows + (1 - weight) * rows[order], with a weight (B,) for each row of (B, ...)."""
    weight = weight.view(-1, *[1] * (rows.ndim - 1)).to(rows.dtype)
    return weight * rows + (1 - weight) * rows[order]


def boxes(stays: Tensor, center: Tensor, height: int, width: int) -> Tensor:
    """Which pixels (B, H, W) lie in the rectangle of each image, whose sides are sqrt(1 - stays) of the image's.

    Args:
        stays: The fraction of each image (B,) that stays, before the rectangle is cut at the edges.
        center: Of the rectangles (B, 2), x and y, in [0, 1).
        height, width: Of the images in pixels.
    """
    found = []
    for part, size in ((center[:, 1], height), (center[:, 0], width)):
        middle, half = (part * size).long(), (0.5 * (1 - stays).sqrt() * size).long()
        at = torch.arange(size, device=center.device)
        found.append((at >= (middle - half)[:, None]) & (at < (middle + half)[:, None]))
    return found[0][:, :, None] & found[1][:, None, :]
