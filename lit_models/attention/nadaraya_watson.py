"""Nadaraya-Watson regression, an early form of attention. A prediction is a mean of the training targets, weighted by
the distances of their inputs.

Nadaraya 1964, "On estimating regression"; Watson 1964. D2L 11.2; the kernel's learned width is from the book's earlier
edition.
Departs from the book: its "Epanechikov" kernel, 1 - |u|, is the triangular one; Epanechnikov's is 1 - u^2. If no
key is within a bounded kernel, the book divides zero by zero; here the prediction is the mean of all targets.
In training a point does not attend to itself: otherwise its own target would be the best prediction, and the width
would shrink to zero.

    dive fit attention/nadaraya_watson      a noisy curve whose noise is known, offline

The numbers it reaches are in RESULTS.md.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lit_models.layers.precision import full_precision
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains

Kernel = Literal["gaussian", "boxcar", "constant", "epanechnikov", "triangular"]
KERNELS = {  # of u = distance / width
    "gaussian": lambda u: torch.exp(-(u**2) / 2),
    "boxcar": lambda u: (u.abs() <= 1).to(u.dtype),
    "constant": torch.ones_like,
    "epanechnikov": lambda u: (1 - u**2).clamp(min=0),
    "triangular": lambda u: (1 - u.abs()).clamp(min=0),
}


class NadarayaWatson(nn.Module):
    """Queries (B, F) -> predictions (B, 1), from ``keys`` (K, F) and ``values`` (K,).

    Args:
        num_features: Features F of a point.
        num_keys: Points K that can be attended to.
        kernel: Weight of a key by its distance in widths.
        width: The kernel's width at the start, in the units of the features.
        learn_width: Whether the width is a parameter (its logarithm is, so that it stays positive).
    """

    keys: Tensor
    values: Tensor

    def __init__(
        self,
        num_features: int = 1,
        num_keys: int = 50,
        kernel: Kernel = "gaussian",
        width: float = 1.0,
        learn_width: bool = True,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.log_width = nn.Parameter(torch.tensor(float(width)).log(), requires_grad=learn_width)
        self.register_buffer("keys", torch.zeros(num_keys, num_features))
        self.register_buffer("values", torch.zeros(num_keys))

    def remember(self, keys: Tensor, values: Tensor) -> None:
        """Stores the points (K, F) and their targets (K,) to attend to.

        Raises:
            ValueError: Their number is not ``num_keys``.
        """
        if len(keys) != len(self.keys):
            raise ValueError(f"{len(keys)} training points: give model.num_keys {len(keys)}, not {len(self.keys)}")
        self.keys.copy_(keys)
        self.values.copy_(values)

    def weights(self, x: Tensor) -> Tensor:
        """Attention of queries (B, F) to the keys -> (B, K); each row sums to 1."""
        distance = torch.cdist(x, self.keys, compute_mode="donot_use_mm_for_euclid_dist")  # (B, K)
        scores = KERNELS[self.kernel](distance / self.log_width.exp())
        if self.training:
            scores = scores.masked_fill(distance == 0, 0.0)
        total = scores.sum(1, keepdim=True)
        lost = total == 0  # no key within reach
        return torch.where(lost, 1 / len(self.keys), scores / total.masked_fill(lost, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weights(x) @ self.values)[:, None]


@trains(NadarayaWatson)
class LitNadarayaWatson(Regressor):
    """Kernel regression; its width is learned by predicting each training point from all others (leave-one-out)."""

    def on_fit_start(self) -> None:
        """Stores the training points of the datamodule's ``splits`` as keys and values; a checkpoint has them too."""
        super().on_fit_start()
        splits = self.data_attribute("splits")
        if splits:
            x, y = (tensor.to(self.device) for tensor in splits["train"])
            self.net.remember(x, y)  # type: ignore[operator]

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        with full_precision(batch[0]):
            weights = self.net.weights(batch[0])  # type: ignore[operator]
        return {**super().test_step(batch, batch_idx), "weights": weights}
