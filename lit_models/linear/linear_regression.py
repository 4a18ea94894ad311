"""Linear regression: a weighted sum, fitted by minibatch gradient descent and, as its check, in closed form.

Gauss 1809, Legendre 1805: least squares. D2L 3.1, 3.5.
Departs from the book: the loss is half the squared error throughout. The book changes from half (3.4) to whole (3.5,
``nn.MSELoss``) at the same rate 0.03, which doubles the step and explains most of the better fit it prints. Three
epochs at 0.03 leave the bias 0.2 short, so the recipe takes ten times as many.

    dive fit linear/linear_regression                   a generated line with known weights, offline
    dive ensemble linear/linear_regression_house_prices     the book's recipe for house prices (D2L 5.7)

The numbers it reaches are in RESULTS.md.
"""

import torch
from torch import Tensor, nn

from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


class LinearRegression(nn.Module):
    """x . w + b. (B, num_features) -> (B, 1).

    Args:
        num_features: Length of x.
        bias: False forces the plane through the origin.
        init_std: Standard deviation of the first weights; the bias starts at zero.
    """

    def __init__(self, num_features: int = 2, bias: bool = True, init_std: float = 0.01) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, 1, bias=bias)
        nn.init.normal_(self.linear.weight, std=init_std)
        if bias:
            nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


def closed_form(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The weights and bias with the least squared error: where gradient descent converges.

    The book's formula (X'X)^-1 X'y squares the condition number of X; a least-squares solver does not.

    Args:
        x: Inputs (N, F).
        y: Targets (N,).

    Returns:
        Weights (F,) and bias ().
    """
    ones = torch.ones_like(x[:, :1])
    solution = torch.linalg.lstsq(torch.cat([x, ones], dim=1), y[:, None]).solution[:, 0]  # (F + 1,)
    return solution[:-1], solution[-1]


@trains(LinearRegression)
class LitLinearRegression(Regressor):
    """Linear regression trained as a regressor."""
