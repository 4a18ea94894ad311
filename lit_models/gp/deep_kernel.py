"""Deep kernel learning: a Gaussian process over the features of a network, trained together.

Wilson et al. 2016, "Deep Kernel Learning". The network is the project's own MLP, the process that of ``svgp.py``
(GPyTorch). Features are squashed to (-1, 1) and normalized by a batch-independent scale, so that the kernel cannot be
escaped by shrinking them (Ober, Rasmussen and van der Wilk 2021 show how such a model overfits).

    dive fit gp/deep_kernel          4,000 rows of a function of ten columns in batches, offline

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from lit_models.gp.svgp import SVGP, VariationalStep
from lit_models.mlp.mlp import MLP
from lit_models.tasks.trains import trains


class DeepKernel(SVGP):
    """x (B, F) -> mean, variance of the function, variance of an observation, each (B,).

    Args:
        num_features: Columns F of x.
        hidden_sizes: Widths of the MLP's hidden layers.
        feature_size: Features that the kernel sees.
        num_inducing: See ``SVGP``.
        kernel: See ``SVGP``.
        noise: See ``SVGP``.
        learn_features: False keeps the MLP at its random weights.
    """

    def __init__(
        self,
        num_features: int = 1,
        hidden_sizes: Sequence[int] = (64, 64),
        feature_size: int = 4,
        num_inducing: int = 64,
        kernel: Literal["rbf", "matern"] = "rbf",
        noise: float = 0.3,
        learn_features: bool = True,
    ) -> None:
        super().__init__(feature_size, num_inducing, kernel, noise)
        self.features = MLP(num_features, feature_size, hidden_sizes).double().requires_grad_(learn_features)
        self.columns = num_features

    def see(self, x: Tensor) -> Tensor:
        """What the kernel sees of x: (B, F) -> (B, feature_size) in (-1, 1)."""
        return torch.tanh(self.features(x.double()))

    def place(self, x: Tensor) -> None:
        super().place(self.see(x).detach())

    def begin(self, x: Tensor, y: Tensor) -> None:
        columns, self.num_features = self.num_features, self.columns  # of the data, while it is looked at
        try:
            super().begin(x, y)
        finally:
            self.num_features = columns

    def loss(self, x: Tensor, y: Tensor, rows: int) -> Tensor:
        return super().loss(self.see(x), y, rows)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return super().forward(self.see(x))


@trains(DeepKernel)
class LitDeepKernel(VariationalStep):
    """A deep kernel trained by the evidence lower bound in batches."""

    def __init__(self, num_features: int = 1, **task: Any) -> None:
        super().__init__(**task)
