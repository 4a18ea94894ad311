"""Linear values: temporal differences that diverge, gradients that do not, and the least-squares solution.

Baird 1995; Sutton et al. 2009 (TDC); Bradtke and Barto 1996 (LSTD); Sutton and Barto 9.8, 11.2 and 11.7; Silver's
lecture 6. All three are of a batch of transitions with weights, such as importance ratios.
"""

import torch
from torch import Tensor


def td_update(w: Tensor, x: Tensor, reward: Tensor, reached: Tensor, gamma: float, ratio: Tensor) -> Tensor:
    """The semi-gradient of TD(0) (D,): what ``w`` moves along.

    Args:
        w: Weights (D,).
        x: Features of the states that were left (B, D).
        reward: (B,).
        reached: Features of the states that were reached (B, D), zero where the episode was terminated.
        gamma: The discount.
        ratio: Weight of each transition (B,).
    """
    delta = reward + gamma * reached @ w - x @ w
    return (ratio * delta) @ x / len(x)


def tdc_update(
    w: Tensor, v: Tensor, x: Tensor, reward: Tensor, reached: Tensor, gamma: float, ratio: Tensor
) -> tuple[Tensor, Tensor]:
    """TD with gradient correction: what ``w`` and the second weights ``v`` move along, (D,) each.

    ``v`` learns to predict the error from the features; the correction makes ``w`` follow the gradient of the projected
    Bellman error, which is never negative. Arguments as of ``td_update``.
    """
    delta = reward + gamma * reached @ w - x @ w
    predicted = x @ v
    correction = gamma * (ratio * predicted) @ reached / len(x)
    return (ratio * delta) @ x / len(x) - correction, (ratio * delta - predicted) @ x / len(x)


def lstd(x: Tensor, reward: Tensor, reached: Tensor, gamma: float, ridge: float = 0.0) -> Tensor:
    """Where TD(0) on these transitions comes to rest, by a linear solve: A w = b with A = x^T (x - gamma x').

    Args:
        x: (B, D).
        reward: (B,).
        reached: (B, D), zero where the episode was terminated.
        gamma: The discount.
        ridge: Added to the diagonal of A, where features were never seen.
    """
    a = x.T @ (x - gamma * reached) + ridge * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(a, x.T @ reward)


def baird() -> tuple[Tensor, Tensor, Tensor]:
    """Baird's counterexample: features (7, 8), those of the state that the target policy always reaches (7, 8), and the
    first weights (8,). All rewards are 0, so that w = 0 is right; each state is visited equally often.
    """
    features = torch.zeros(7, 8, dtype=torch.float64)
    features[range(6), range(6)], features[:6, 7] = 2, 1
    features[6, 6], features[6, 7] = 1, 2
    first = torch.ones(8, dtype=torch.float64)
    first[6] = 10
    return features, features[6].expand(7, 8), first
