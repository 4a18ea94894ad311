"""Generated clicks: what a factorization machine can say and a linear model cannot. The ceiling is known.

The logit of a click is a constant, a weight of each value, and the products of the values' vectors, field by field.
"""

from typing import Any

import numpy as np
import pandas as pd

from datamodules.ratings.clicks import ClickLog

FACTORS = 4


class PlantedClicks(ClickLog):
    """``num_rows`` generated impressions with ``num_fields`` fields of ``values`` values each, some of them rare.

    Args:
        num_values: Rows of the table; at most num_fields (values + 1) are used.
        num_fields: F.
        values: Of a field.
        num_rows: N.
        **clicks: See ``ClickLog``.
    """

    def __init__(
        self, num_values: int = 168, num_fields: int = 8, values: int = 20, num_rows: int = 24_000, **clicks: Any
    ) -> None:
        super().__init__(num_values, num_fields, **clicks)
        self.values, self.num_rows = values, num_rows

    def table(self) -> tuple[pd.DataFrame, np.ndarray]:
        random = np.random.default_rng(0)
        frequency = 1 / (np.arange(self.values) + 3.0)
        fields, values = self.num_fields, self.values
        x = random.choice(values, (self.num_rows, fields), p=frequency / frequency.sum())
        weight, vector = random.normal(0, 0.25, (fields, values)), random.normal(0, 0.5, (fields, values, FACTORS))
        v = vector[np.arange(fields), x]  # (N, F, factors)
        pairs = (v.sum(1) ** 2 - (v**2).sum(1)).sum(1) / 2
        self.logits = -0.8 + weight[np.arange(fields), x].sum(1) + pairs * 0.8
        clicked = (random.random(self.num_rows) < 1 / (1 + np.exp(-self.logits))).astype(np.int64)
        names = [f"field {f + 1}" for f in range(fields)]
        return pd.DataFrame({name: [f"v{k}" for k in x[:, f]] for f, name in enumerate(names)}), clicked

    def baselines(self) -> dict[str, dict[str, Any]]:
        from sklearn.metrics import log_loss, roc_auc_score

        y = self.splits["test"][1].numpy()
        p = 1 / (1 + np.exp(-self.logits[-len(y) :]))
        reached = {"test/auc": float(roc_auc_score(y, p)), "test/loss": float(log_loss(y, p))}
        return super().baselines() | {"ceiling": {"what": "the true probabilities", "metrics": reached}}
