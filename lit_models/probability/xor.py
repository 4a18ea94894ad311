"""XOR: what a linear model cannot do and two hidden units can.

Goodfellow et al. 6.1, with its solution by hand; Minsky and Papert 1969. The least squares of a linear model predicts
1/2 everywhere, whatever its weights started as. Two ReLU units are enough, but gradient descent from a random start
often ends in a local minimum with two of them; with eight it does not.

    dive fit probability/xor                            eight hidden units, offline
    dive fit probability/xor --model.hidden_size 0      linear: 1/2 everywhere, an rmse of 0.5

The numbers it reaches are in RESULTS.md.
"""

import torch
from torch import Tensor, nn

from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


class XORNet(nn.Module):
    """(B, num_features) -> (B, 1): linear, ReLU, linear.

    Args:
        num_features: Inputs.
        hidden_size: Hidden units; 0 makes the network linear.
    """

    def __init__(self, num_features: int = 2, hidden_size: int = 8) -> None:
        super().__init__()
        self.hidden = nn.Linear(num_features, hidden_size) if hidden_size else None
        self.output = nn.Linear(hidden_size or num_features, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.hidden(x).relu() if self.hidden is not None else x)


def by_hand() -> XORNet:
    """Goodfellow et al. 6.1's solution: h1 = relu(x1 + x2), h2 = relu(x1 + x2 - 1), y = h1 - 2 h2."""
    net = XORNet(hidden_size=2)
    assert net.hidden is not None
    with torch.no_grad():
        net.hidden.weight.fill_(1.0)
        net.hidden.bias.copy_(torch.tensor([0.0, -1.0]))
        net.output.weight.copy_(torch.tensor([[1.0, -2.0]]))
        net.output.bias.zero_()
    return net


@trains(XORNet)
class LitXOR(Regressor):
    """The network trained by half the squared error."""
