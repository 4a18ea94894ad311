"""Linear regression from scratch: parameters, forward, loss and the descent step, each by hand.

D2L 3.4.
Departs from the book: its parameters are raw tensors in no module and its optimizer is a class of its own kind, so that
the model is neither saved, nor moved to a device, nor seen by ``parameters()``. Here the tensors are ``nn.Parameter``
and the step is a ``torch.optim.Optimizer``: as much by hand, and it trains, resumes and moves like everything else.

    dive fit linear/from_scratch            a generated line with known weights, offline

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


class ScratchLinear(nn.Module):
    """x w + b without ``nn.Linear``. (B, num_features) -> (B, 1).

    Args:
        num_features: Length of x.
        init_std: Standard deviation of the first weights; the bias starts at zero.
    """

    def __init__(self, num_features: int = 2, init_std: float = 0.01) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(num_features, 1) * init_std)
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w + self.b


class ScratchSGD(torch.optim.Optimizer):
    """Minibatch stochastic gradient descent: p <- p - lr * gradient.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
    """

    def __init__(self, params: Iterable[Any], lr: float = 0.03) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One descent step. ``closure`` computes loss and gradients anew: Lightning always gives one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p -= group["lr"] * p.grad
        return loss


def half_squared_error(prediction: Tensor, y: Tensor) -> Tensor:
    """The mean of (prediction - y)^2 / 2. Prediction (B, 1), y (B,): left so, they would broadcast to (B, B)."""
    return ((prediction - y.reshape(prediction.shape)) ** 2 / 2).mean()


@trains(ScratchLinear)
class LitFromScratch(Regressor):
    """Linear regression trained with the loss above."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = half_squared_error(self(x), y)
        self.record_train_loss(loss, len(x))
        return loss
