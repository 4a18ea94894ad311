"""Cross-validation: every row is held out once, so that little data suffices to train and to select a model.

Stone 1974, "Cross-Validatory Choice and Assessment of Statistical Predictions". D2L 3.6.3.
Departs from the book, whose only k-fold (5.7) cuts the table in its given order and standardizes it before the cut, so
that held-out rows leak into the model's inputs: here rows are shuffled first, and everything that is estimated from
data belongs into ``fit``, which gets only the training rows.

A network's folds are a datamodule's arguments (``--data.num_folds 5 --data.fold 0``, ``datamodules/tabular``), since
each fold is a run of its own; ``dive ensemble`` runs them all.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Candidate = TypeVar("Candidate")
Predictor = Callable[[Tensor], Tensor]


def folds(rows: int, k: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields training and held-out row numbers k times; each row is held out exactly once.

    Args:
        rows: Number of rows.
        k: Number of folds, whose sizes differ by one at most.
        seed: Of the order; negative keeps the given one.

    Raises:
        ValueError: There are fewer rows than folds, or fewer than two folds.
    """
    if not 2 <= k <= rows:
        raise ValueError(f"{k} folds of {rows} rows: give 2 to {rows}")
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed)) if seed >= 0 else torch.arange(rows)
    parts = order.tensor_split(k)
    for i in range(k):
        yield torch.cat([part for j, part in enumerate(parts) if j != i]), parts[i]


def cross_validation_error(
    x: Tensor, y: Tensor, fit: Callable[[Tensor, Tensor], Predictor], k: int, seed: int = 0
) -> Tensor:
    """The mean squared error () on held-out rows, each row counting once; differentiable where ``fit`` is.

    Args:
        x: Inputs (N, ...).
        y: Targets (N,).
        fit: Takes training rows x and y, returns a function from x to predictions (N,).
        k, seed: See ``folds``.
    """
    total = torch.zeros((), dtype=y.dtype)
    for train, held in folds(len(x), k, seed):
        predict = fit(x[train], y[train])
        total = total + (predict(x[held]) - y[held]).square().sum()
    return total / len(x)


def choose(
    candidates: Sequence[Candidate],
    x: Tensor,
    y: Tensor,
    fit: Callable[[Candidate, Tensor, Tensor], Predictor],
    k: int = 5,
    seed: int = 0,
) -> tuple[Candidate, list[float]]:
    """The candidate with the least cross-validation error, and all errors.

    The least error is optimistic, since it was selected: an unbiased estimate needs rows outside of x.
    """

    def fit_with(candidate: Candidate) -> Callable[[Tensor, Tensor], Predictor]:
        return lambda rows, targets: fit(candidate, rows, targets)

    errors = [float(cross_validation_error(x, y, fit_with(candidate), k, seed)) for candidate in candidates]
    return candidates[errors.index(min(errors))], errors
