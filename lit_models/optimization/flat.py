"""Optimizers that see all parameters as one vector: directions, curvature and line searches need their inner products.

They take closures, which they compute at several points of a step, and are meant for all rows in one batch: with
another batch in each step, differences of gradients measure the batches, not the curvature.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.by_hand import ByHand, Params
from lit_models.optimization.closures import SameBatch, refuse_accumulation


class Flat(ByHand):
    """One group of parameters, read and moved as a vector (n,).

    Args:
        params: Parameters, or one group of them.
        **settings: See ``ByHand``.

    Raises:
        UserError: There are several groups.
    """

    def __init__(self, params: Params, **settings: Any) -> None:
        super().__init__(params, **settings)
        if len(self.param_groups) > 1:
            raise UserError(f"{type(self).__name__} has one rate for all parameters, not groups: set decay_biases true")
        self.vector: list[Tensor] = self.param_groups[0]["params"]

    @property
    def own(self) -> dict[str, Any]:
        """The state of the whole vector, kept with the first parameter."""
        return self.state[self.vector[0]]

    @property
    def group(self) -> dict[str, Any]:
        return self.param_groups[0]

    def position(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.vector])

    def gradient(self) -> Tensor:
        """The gradient (n,), zero where a parameter has none."""
        parts = [torch.zeros_like(p) if p.grad is None else p.grad.detach() for p in self.vector]
        return torch.cat([part.flatten() for part in parts])

    def move_to(self, x: Tensor) -> None:
        """Sets all parameters to the values of x (n,)."""
        parts = x.split([p.numel() for p in self.vector])
        for p, part in zip(self.vector, parts, strict=True):
            p.detach().copy_(part.view_as(p))

    def at(self, x: Tensor, closure: SameBatch) -> tuple[float, Tensor]:
        """The loss and the gradient at x, where the parameters stay."""
        self.move_to(x)
        loss = closure()
        return float(loss), self.gradient()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.vector = self.param_groups[0]["params"]

    def check_run(self, trainer: Any) -> None:
        """Refuses several batches in an epoch or in a step.

        Raises:
            UserError: There are several.
        """
        refuse_accumulation(type(self).__name__, trainer)
        if trainer.num_training_batches > 1:
            raise UserError(
                f"{type(self).__name__} compares the gradients of two steps, which needs the same rows: an epoch "
                f"has {trainer.num_training_batches} batches, make data.batch_size as large as the training split"
            )
