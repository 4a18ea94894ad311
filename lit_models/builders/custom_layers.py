"""Layers of one's own: one without parameters, one with. D2L 6.5.

Departs from the book: its ``MyLinear`` multiplies by ``weight.data``, which autograd does not see, so that the layer
does not learn; ``detached=True`` does the same here, to show it. Its ``CenteredLayer`` subtracts the mean of the whole
batch, so that the output for a sample depends on its neighbors; here each row has its own mean.
"""

import torch
from torch import Tensor, nn


class Centered(nn.Module):
    """Subtracts each row's mean: (B, D) -> (B, D) of mean zero. No parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=1, keepdim=True)


class Dense(nn.Module):
    """A fully connected layer with a ReLU: (B, in_features) -> (B, out_features).

    Args:
        in_features, out_features: Widths.
        detached: The book's error: the parameters' plain data is used, and they keep their initial values.
    """

    def __init__(self, in_features: int, out_features: int, detached: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(in_features, out_features) * (2 / in_features) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.detached = detached

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = (p.data if self.detached else p for p in (self.weight, self.bias))
        return torch.relu(x @ weight + bias)
