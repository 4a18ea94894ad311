"""An n-gram model of labels: how probable the next label is after the last n - 1.

Each order is smoothed by the one below it: p(w | h) = (count(h w) + k p(w | h')) / (count(h) + k), where h' is h
without its oldest label (MacKay and Peto 1995); below single labels all are equally probable. Label 0 is the boundary:
it stands before a text, and is the end where it is predicted.
"""

from collections.abc import Iterable, Sequence

import numpy as np


class CharacterNgram:
    """log P(label | the order - 1 labels before), a table with ``order`` axes of ``num_labels`` entries.

    Args:
        table: Log-probabilities in nats.
    """

    def __init__(self, table: np.ndarray) -> None:
        self.table, self.order = table, table.ndim

    @classmethod
    def learn(cls, texts: Iterable[Sequence[int]], num_labels: int, order: int = 3, k: float = 5.0) -> "CharacterNgram":
        """Counts texts of labels 1 to ``num_labels - 1``.

        Args:
            texts: The labels of each text.
            num_labels: Labels with the boundary, 0.
            order: n.
            k: Weight of the next lower order, in counts.
        """
        counts = np.zeros((num_labels,) * order)
        for text in texts:
            padded = [0] * (order - 1) + list(text) + [0]
            for i in range(len(text) + 1):
                counts[tuple(padded[i : i + order])] += 1
        p = np.full(num_labels, 1 / num_labels)
        for n in range(1, order + 1):
            seen = counts.sum(tuple(range(order - n)))  # of the last n labels
            p = (seen + k * p) / (seen.sum(-1, keepdims=True) + k)
        return cls(np.log(p))

    def log_p(self, text: Sequence[int]) -> float:
        """log P of a whole text with its end, in nats."""
        padded = [0] * (self.order - 1) + list(text) + [0]
        return float(sum(self.table[tuple(padded[i : i + self.order])] for i in range(len(text) + 1)))
