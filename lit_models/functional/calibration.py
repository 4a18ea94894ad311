"""Whether predicted probabilities are calibrated: calibration error, temperature scaling, and the uncertainty of
predictions by Monte Carlo dropout.

Naeini et al. 2015 (the expected calibration error); Guo et al. 2017, "On Calibration of Modern Neural Networks"
(temperature scaling); Nixon et al. 2019 (bins of equal mass); Gal and Ghahramani 2016 (Monte Carlo dropout). Goodfellow
et al. 7.12.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError


def calibration_error(probabilities: Tensor, y: Tensor, bins: int = 15, equal_mass: bool = True) -> Tensor:
    """The mean over samples of |accuracy - confidence| of the bin that a sample is in; 0 is calibrated.

    Args:
        probabilities: (N, K), rows of sum 1.
        y: Classes (N,).
        bins: How many. Those of equal mass have N / bins samples each, so that none rests on a few.
        equal_mass: False: bins of equal width between 0 and 1, as in Guo et al. 2017.
    """
    if bins < 1 or not len(y):
        raise UserError(f"calibration_error: {bins} bins of {len(y)} samples: give at least one of each")
    confidence, label = probabilities.max(1)
    right = (label == y).to(confidence.dtype)
    if equal_mass:
        rank = confidence.argsort(stable=True).argsort(stable=True)
        place = rank * bins // len(y)
    else:
        place = ((confidence * bins).ceil().long() - 1).clamp(0, bins - 1)
    gaps = torch.zeros(bins, dtype=confidence.dtype, device=confidence.device)
    return gaps.index_add(0, place, right - confidence).abs().sum() / len(y)


def fitted_temperature(logits: Tensor, y: Tensor, steps: int = 50) -> float:
    """The number by which logits (N, K) are divided so that their cross-entropy with y (N,) is lowest.

    Newton's method in the inverse temperature b, in which the loss is convex: its derivatives are the mean of
    E[z] - z_y and of the variance of z under softmax(b z). To be fitted on validation data, not on training data.
    """
    z = logits.double()
    b = torch.ones((), dtype=torch.float64)
    target = z.gather(1, y[:, None])[:, 0]
    for _ in range(steps):
        p = (b * z).softmax(1)
        mean = (p * z).sum(1)
        first, second = (mean - target).mean(), ((p * z.square()).sum(1) - mean.square()).mean()
        moved = (b - first / second.clamp(min=1e-12)).clamp(b / 2, b * 2)
        if abs(float(moved - b)) < 1e-12:
            break
        b = moved
    return float(1 / b)


class Uncertainty(NamedTuple):
    """Of each sample (N,), in nats: ``total`` is the entropy of the mean prediction, ``expected`` the mean entropy of a
    member's, which stays with more data, and ``information`` their difference, which is what the members disagree
    about.
    """

    total: Tensor
    expected: Tensor
    information: Tensor


def uncertainty(probabilities: Tensor) -> Uncertainty:
    """Of the predictions (M, N, K) of M members or passes."""
    total = entropy(probabilities.mean(0))
    expected = entropy(probabilities).mean(0)
    return Uncertainty(total, expected, total - expected)


def entropy(p: Tensor) -> Tensor:
    """In nats, over the last dimension."""
    return torch.special.entr(p).sum(-1)


@torch.no_grad()
def dropout_passes(net: nn.Module, x: Tensor, passes: int = 30) -> Tensor:
    """Probabilities (passes, N, K) with dropout as in training; everything else is as in evaluation.

    Raises:
        UserError: The network has no dropout, or there are fewer than two passes.
    """
    drops = [m for m in net.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    if not drops:
        raise UserError(f"{type(net).__name__} has no dropout: all passes would be the same")
    if passes < 2:
        raise UserError(f"Monte Carlo dropout: passes is {passes}: give at least 2, 30 is usual")
    was = net.training
    net.eval()
    for drop in drops:
        drop.train()
    try:
        return torch.stack([F.softmax(net(x).float(), dim=1) for _ in range(passes)])
    finally:
        net.train(was)
