"""The part of a transformer's layer that processes each position separately: two dense layers, or a gated pair.

Vaswani et al. 2017, 3.3; Shazeer 2020, "GLU variants improve transformer". D2L 11.7.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["relu", "gelu", "gelu_tanh", "silu"]


def activation_module(name: Activation) -> nn.Module:
    """The non-linearity of a name; ``gelu_tanh`` is the approximation that GPT-2 was trained with."""
    return {"relu": nn.ReLU(), "gelu": nn.GELU(), "gelu_tanh": nn.GELU(approximate="tanh"), "silu": nn.SiLU()}[name]


class FeedForward(nn.Module):
    """(..., hidden_size) -> (..., hidden_size) through ``ffn_size`` features.

    Args:
        hidden_size, ffn_size: Outer and inner features.
        activation: Non-linearity between the two layers.
        dropout: After the non-linearity. What follows the second layer is the residual connection's own dropout.
    """

    def __init__(self, hidden_size: int, ffn_size: int, activation: Activation = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden_size, ffn_size)
        self.activation = activation_module(activation)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(ffn_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.activation(self.inner(x))
        return self.outer(self.dropout(inner) if self.training else inner)


class SwiGLU(nn.Module):
    """silu(W x) * (V x), then back: one projection gates the other. No biases.

    (..., hidden_size) -> (..., hidden_size). W and V lie in one matrix.

    Args:
        hidden_size: Width of input and output.
        ffn_size: Width between.
    """

    def __init__(self, hidden_size: int, ffn_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden_size, 2 * ffn_size, bias=False)
        self.outer = nn.Linear(ffn_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, through = self.inner(x).chunk(2, -1)
        return self.outer(F.silu(gate) * through)
