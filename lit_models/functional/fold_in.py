"""A new person in a trained matrix factorization, in closed form: what its vector and bias would be, items fixed.

Koren, Bell and Volinsky 2009, equation 5, for one user; Hu et al. 2008, section 4, solve a weighted form of the same
system and, in section 5, split a score into contributions of single ratings as here. With the vectors x_i = (1, q_i) of
the items and what a rating is above mean and item bias, e_j = r_j - mean - c_j, the bias and vector p of a person with
n ratings minimize

    sum_j (e_j - x_j . p)^2 + n lambda |p|^2

so that p = (X'X + n lambda)^-1 X' e. ``lambda`` is that of training, where a person's vector is penalized once for each
of its ratings. p is linear in e, and so is every score: what a rating adds to it is a number.
"""

import torch
from torch import Tensor


def with_bias(vectors: Tensor) -> Tensor:
    """(1, q_i) of the vectors q (I, E) -> (I, E + 1)."""
    return torch.cat([vectors.new_ones(len(vectors), 1), vectors], 1)


def influence(rated: Tensor, penalty: float) -> Tensor:
    """M (E, n) with p = M e for the vectors (n, E) of what a person rated, with the bias' 1 in front.

    Args:
        rated: x_j (n, E), n at least 1.
        penalty: lambda, above 0.
    """
    x = rated.double()
    ridge = len(x) * penalty * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(x.T @ x + ridge, x.T).to(rated.dtype)


def contributions(candidates: Tensor, moved: Tensor, residuals: Tensor) -> Tensor:
    """What each rating adds to the score of each candidate (K, n); the sum over n is the score above its base.

    Args:
        candidates: x_i (K, E).
        moved: ``influence`` (E, n).
        residuals: e (n,).
    """
    return candidates @ moved * residuals


def informative(vectors: Tensor, weight: Tensor, rated: Tensor, count: int, penalty: float = 1.0) -> Tensor:
    """Items (count,) whose ratings would say most about a person, the first one first: a greedy D-optimal design.

    Rating an item with vector q multiplies the determinant of X'X + penalty by 1 + q'(X'X + penalty)^-1 q; its
    logarithm is weighted, by how likely a person knows the item.

    Args:
        vectors: x_i (I, E).
        weight: Of each item (I,); 0 is never chosen before others.
        rated: Items that have a rating already (n,).
        count: How many to choose, at most I - n.
        penalty: What is added to the diagonal.
    """
    x, weight = vectors.double(), weight.double()
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    inverse = torch.linalg.inv(x[rated].T @ x[rated] + penalty * eye)
    left = torch.ones(len(x), dtype=torch.bool, device=x.device)
    left[rated] = False
    chosen = []
    for _ in range(min(count, int(left.sum()))):
        gain = torch.log1p(((x @ inverse) * x).sum(1)) * weight
        best = int(gain.masked_fill(~left, -torch.inf).argmax())
        left[best] = False
        chosen.append(best)
        step = inverse @ x[best]  # Sherman and Morrison
        inverse = inverse - torch.outer(step, step) / (1 + x[best] @ step)
    return torch.tensor(chosen, dtype=torch.long, device=x.device)
