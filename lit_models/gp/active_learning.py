"""Active learning: the next row to label is the one of which the process knows least.

MacKay 1992, "Information-Based Objective Functions for Active Data Selection": with a normal noise the largest variance
is the largest gain of information. D2L 18.1.
"""

from typing import Literal

import torch
from torch import Tensor

from lit_models.gp.exact import ExactGP

Strategy = Literal["variance", "random"]


def choose(gp: ExactGP, pool: Tensor, labeled: Tensor, strategy: Strategy = "variance", seed: int = 0) -> int:
    """The row of the pool (N, F) to label next, one that is not labeled yet.

    Args:
        gp: The process of the labels so far, in evaluation mode.
        pool: All rows.
        labeled: Which of them have a label (N,).
        strategy: The largest variance of the function, or chance.
        seed: Of chance.
    """
    if strategy == "random":
        worth = torch.rand(len(pool), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    else:
        with torch.no_grad():
            worth = gp(pool)[1]
    return int(worth.masked_fill(labeled, -1.0).argmax())


def label(
    gp: ExactGP, pool: Tensor, targets: Tensor, count: int, strategy: Strategy = "variance", seed: int = 0
) -> Tensor:
    """Labels ``count`` rows one after the other, the first two by chance; returns which (N,). ``gp`` remembers them.

    Args:
        gp: A process, whose hyper-parameters stay.
        pool: Rows (N, F).
        targets: The labels (N,) that are asked for.
        count: Labels in all.
        strategy: See ``choose``.
        seed: Of the first two rows, and of chance.
    """
    labeled = torch.zeros(len(pool), dtype=torch.bool)
    labeled[torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))[:2]] = True
    for k in range(2, count + 1):
        gp.remember(pool[labeled], targets[labeled])
        gp.eval()
        if k < count:
            labeled[choose(gp, pool, labeled, strategy, seed=1000 * seed + k)] = True
    return labeled
