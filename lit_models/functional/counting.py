"""Counting with a detector: thresholds that make the count unbiased, errors of counts and their intervals.

A detector's score is not made for counting: at a threshold of a half it may miss a tenth of the cells, and miss them in
every picture. The threshold that finds as many objects as there are, over the validation split, has no such bias
there: its misses and its false alarms are equally many. How large the errors of single pictures are is another
question: the mean absolute error. Efron 1979 for the bootstrap.
"""

import torch
from torch import Tensor


def unbiased_thresholds(scores: Tensor, labels: Tensor, totals: Tensor, least: float = 0.01) -> Tensor:
    """The score (K,) from which on a class's detections count, so that they are as many as its objects.

    Args:
        scores, labels: (n,) of all detections of a split, in any order.
        totals: The number of objects (K,) of each class.
        least: The threshold where there are fewer detections than objects.

    Returns:
        Halfway between the last score that counts and the first that does not; 1 for a class without objects.
    """
    found = torch.full((len(totals),), least, device=scores.device)
    for k, total in enumerate(totals.int().tolist()):
        ordered = scores[labels == k].sort(descending=True).values
        if not total:
            found[k] = 1.0
        elif len(ordered) > total:
            found[k] = (ordered[total - 1] + ordered[total]) / 2
    return found


def counts_of(scores: Tensor, labels: Tensor, thresholds: Tensor) -> Tensor:
    """How many detections of each class reach its threshold: (..., D) -> (..., K).

    Args:
        scores, labels: (..., D), the label -1 where there are fewer.
        thresholds: (K,).
    """
    kinds = torch.arange(len(thresholds), device=scores.device)
    return ((labels[..., None] == kinds) & (scores[..., None] >= thresholds)).sum(-2)


def count_errors(found: Tensor, true: Tensor) -> dict[str, Tensor]:
    """Errors of counts (N, K) of N pictures, in fractions of the true numbers.

    ``count_error``: the sum over pictures and classes of |found - true|, divided by the number of objects;
    ``count_error_k`` the same of class k; ``count_bias_k``: the sum of found - true of class k, likewise. A class
    without objects is divided by 1.
    """
    difference, totals = (found - true).double(), true.sum(0).clamp(min=1).double()
    values = {"count_error": difference.abs().sum() / true.sum().clamp(min=1)}
    for k in range(true.shape[1]):
        values[f"count_error_{k}"] = difference[:, k].abs().sum() / totals[k]
        values[f"count_bias_{k}"] = difference[:, k].sum() / totals[k]
    return {name: value.float() for name, value in values.items()}


def error_interval(found: Tensor, true: Tensor, level: float = 0.95, draws: int = 1000) -> tuple[Tensor, Tensor]:
    """The bootstrap interval (percentiles) of ``count_error``: N pictures are drawn again from the N, with repetition.

    Args:
        found, true: Counts (N, K).
        level: How probable the interval is.
        draws: How often they are drawn, always from the same seed.
    """
    errors, totals = (found - true).abs().sum(1).double(), true.sum(1).double()
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(true), (draws, len(true)), generator=generator).to(true.device)
    drawn = errors[rows].sum(1) / totals[rows].sum(1).clamp(min=1)
    edges = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=drawn.dtype, device=drawn.device)
    low, high = drawn.quantile(edges)
    return low.float(), high.float()
