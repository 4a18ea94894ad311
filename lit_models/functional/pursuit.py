"""Sparse coding by orthogonal matching pursuit: few columns of a dictionary that add up to a signal.

Pati et al. 1993, "Orthogonal Matching Pursuit"; Goodfellow et al. 7.10. Greedy: the column with the largest correlation
with what is left is taken, then all coefficients are fitted anew, so that the rest is orthogonal to every column taken.
"""

import torch
from torch import Tensor

from common.messages import UserError


def orthogonal_matching_pursuit(dictionary: Tensor, signals: Tensor, nonzero: int) -> Tensor:
    """Codes (N, K) with at most ``nonzero`` coefficients each, so that codes @ dictionary is near the signals.

    Args:
        dictionary: Atoms (K, D), rows of length 1.
        signals: (N, D).
        nonzero: Coefficients of a code, from 1 to the smaller of K and D.

    Raises:
        UserError: ``nonzero`` is out of range, or an atom's length is not 1.
    """
    atoms, size = dictionary.shape
    if not 1 <= nonzero <= min(atoms, size):
        raise UserError(f"matching pursuit: nonzero is {nonzero}: give a number from 1 to {min(atoms, size)}")
    if not torch.allclose(dictionary.norm(dim=1), dictionary.new_ones(()), atol=1e-4):
        raise UserError("matching pursuit: the atoms' lengths are not 1: divide each by its norm")
    chosen = torch.empty(len(signals), 0, dtype=torch.long, device=signals.device)
    left, values = signals, signals.new_zeros(len(signals), 0)
    for _ in range(nonzero):
        scores = (left @ dictionary.T).abs().scatter(1, chosen, -1.0)
        chosen = torch.cat([chosen, scores.argmax(1, keepdim=True)], 1)
        taken = dictionary[chosen].mT  # (N, D, k)
        values = torch.linalg.lstsq(taken, signals[:, :, None]).solution[:, :, 0]
        left = signals - (taken @ values[:, :, None])[:, :, 0]
    return signals.new_zeros(len(signals), atoms).scatter(1, chosen, values)
