"""Universal approximation by width: one hidden layer of random units, its last layer in closed form.

Cybenko 1989; Hornik, Stinchcombe and White 1989; Barron 1993. Goodfellow et al. 6.4.1. The hidden units are drawn
once and stay: the last layer is then a least-squares problem, so that the curve of error over width shows what width
can do and not what an optimizer finds. Linear units gain nothing from width.

    dive fit probability/universal_approximation                               200 units, offline
    dive fit probability/universal_approximation --model.activation identity   as good as one unit

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.tasks.processes import precise
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains

Activation = Literal["relu", "tanh", "identity"]


class RandomFeatures(nn.Module):
    """(B, num_features) -> (B, 1): random units with kinks spread over [-1, 1], and a linear layer.

    Args:
        num_features: Inputs.
        width: Hidden units.
        activation: Of the units.
    """

    directions: Tensor
    offsets: Tensor

    def __init__(self, num_features: int = 1, width: int = 200, activation: Activation = "relu") -> None:
        super().__init__()
        self.activation = activation
        directions = torch.randn(width, num_features)
        self.register_buffer("directions", 3 * directions / directions.norm(dim=1, keepdim=True))
        self.register_buffer("offsets", 3 * (2 * torch.rand(width) - 1))
        self.weight = nn.Parameter(torch.zeros(width + 1))

    def hidden(self, x: Tensor) -> Tensor:
        """The units' values (B, width + 1), a constant 1 behind them."""
        z = x @ self.directions.T.to(x) + self.offsets.to(x)
        z = {"relu": torch.relu, "tanh": torch.tanh, "identity": lambda t: t}[self.activation](z)
        return torch.cat([z, torch.ones_like(z[:, :1])], 1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.hidden(x) @ self.weight)[:, None]


def ridge(features: Tensor, y: Tensor, l2: float = 1e-6) -> Tensor:
    """The weights (F,) with the least squared error plus ``l2`` times their squared norm, per row."""
    gram = features.T @ features / len(y) + l2 * torch.eye(features.shape[1]).to(features)
    return torch.linalg.solve(gram, features.T @ y / len(y))


@trains(RandomFeatures)
class LitUniversalApproximation(Regressor):
    """Random features; the last layer of all training rows is reached by one step of SGD of rate 1.

    Args:
        l2: Of ``ridge``.
        **task: See ``Task``.
    """

    def __init__(self, l2: float = 1e-6, **task: Any) -> None:
        super().__init__(**task)
        self.l2 = l2
        self.solution: Tensor | None = None

    def rows(self) -> tuple[Tensor, Tensor]:
        """The training rows x (N, F) and y (N,) in double precision."""
        x, y = self.data_attribute("splits")["train"][:2]
        return x.to(self.device, precise(self.device)), y.to(self.device, precise(self.device))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        net: Any = self.net
        if self.solution is None:
            x, y = self.rows()
            self.solution = ridge(net.hidden(x), y, self.l2)
        loss = (net.weight - self.solution.to(net.weight)).square().sum() / 2
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def panels(self) -> list[dict[str, Any]]:
        """The fit, and the error on validation points by width, of units of each kind."""
        splits = self.data_attribute("splits")
        if not splits or splits["train"][0].shape[1] != 1:
            return []
        x, y = self.rows()
        new, truth = (t.to(x) for t in splits["val"][:2])
        grid = torch.linspace(float(x.min()), float(x.max()), 400).to(x)[:, None]
        fitted = {"train": (x, y)}, {f"width {self.hparams['width']}": (grid, self(grid.to(self.dtype)).detach())}
        panels: list[dict[str, Any]] = [{"title": "fit", "points": fitted[0], "lines": fitted[1]}]
        widths = [2, 4, 8, 16, 32, 64, 128, 256]
        lines = {}
        for activation in ("relu", "tanh", "identity"):
            errors = []
            for width in widths:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(width)
                    net = RandomFeatures(1, width, activation).to(x)  # type: ignore[arg-type]
                weights = ridge(net.hidden(x), y, self.l2)
                errors.append(float((net.hidden(new) @ weights - truth).square().mean().sqrt()))
            lines[activation] = (torch.tensor(widths), torch.tensor(errors))
        return [*panels, {"title": "rmse on new points", "xlabel": "width", "log": True, "lines": lines}]
