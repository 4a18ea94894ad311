"""How many answers of a language model are right: single tokens, and whole rows."""

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric


class Answers(nn.Module):
    """Two means over an epoch, each reduced over the processes when it is logged.

    ``right`` is the fraction of targets whose token has the largest logit, ``rows`` that of the rows all of whose
    targets have. A row without a target does not count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.right, self.rows = MeanMetric(), MeanMetric()

    @torch.no_grad()
    def update(self, logits: Tensor, targets: Tensor, pad_id: int) -> None:
        """Adds a batch.

        Args:
            logits: (B * T, V).
            targets: (B, T).
            pad_id: Target that is ignored.
        """
        right, asked = logits.argmax(1).view_as(targets) == targets, targets != pad_id
        self.right.update(right[asked].float())
        self.rows.update((right | ~asked).all(1)[asked.any(1)].float())
