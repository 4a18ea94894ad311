"""The base of the optimizers written by hand: ranges of the arguments, the closure, the gradients of a step.

Goodfellow, Bengio and Courville 8.3 to 8.6; D2L 12. A subclass states the ranges of its numbers and how a list of
parameters moves; all its operations are on lists of tensors (``torch._foreach_*``), which on small models take half
of the time of a loop over tensors. State and settings are those of ``torch.optim.Optimizer``, so that checkpoints,
schedules, parameter groups and changed settings of a resumed run work as with torch's own.

    dive fit cnn/lenet --model.optimizer lit_models.optimization.Adam --model.optimizer.lr 0.001
    dive fit cnn/lenet --model.optimizer Lion

The first form takes ours where torch has a class of the same name.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from common.messages import UserError

Tensors = list[Tensor] | tuple[Tensor, ...]
Params = Iterable[Any]
Closure = Callable[[], Any]
Group = dict[str, Any]

#: The ranges of the usual numbers: lowest, highest, and whether the highest is allowed.
RANGES: dict[str, tuple[float, float, bool]] = {
    "lr": (0, math.inf, False),
    "weight_decay": (0, math.inf, False),
    "lr_decay": (0, math.inf, False),
    "initial_accumulator_value": (0, math.inf, False),
    "eps": (0, math.inf, False),
    "damping": (0, math.inf, False),
    "radius": (0, math.inf, False),
    "momentum": (0, 1, False),
    "betas": (0, 1, False),
    "alpha": (0, 1, False),
    "rho": (0, 1, False),
    "decay": (0, 1, False),
    "toward": (0, 1, True),
}


class ByHand(Optimizer):
    """An optimizer of this project.

    Args:
        params: Parameters, or groups of them with settings of their own.
        **settings: The defaults of all groups.

    Raises:
        UserError: There are no parameters, or a number is out of its range.
    """

    sparse = False  #: whether gradients of embeddings with ``sparse=True`` are taken

    def __init__(self, params: Params, **settings: Any) -> None:
        groups = [whole(g) if isinstance(g, dict) else g for g in params]
        name = type(self).__name__
        if not any(g["params"] if isinstance(g, dict) else True for g in groups):
            raise UserError(f"{name} got no parameters: the model has none to train, or all are frozen")
        for group in ({}, *(g for g in groups if isinstance(g, dict))):
            for key, value in {**settings, **group}.items():
                check_range(name, key, value)
        super().__init__(groups, settings)

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        """One step with the gradients at hand, or with those that ``closure`` computes; returns the closure's loss."""
        loss = evaluate(closure) if closure is not None else None
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self.update(group, params, self.gradients(group, params))
        return loss

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        """Moves the parameters of a group that have a gradient.

        Args:
            group: The group's settings.
            params: Moved in place.
            grads: Of the same shapes; left as they are.
        """
        raise NotImplementedError

    def gradients(self, group: Group, params: list[Tensor]) -> Tensors:
        """The gradients of the parameters; of the negative loss where the group maximizes.

        Raises:
            UserError: A gradient is sparse and the optimizer takes none.
        """
        grads: list[Any] = [p.grad for p in params]
        if any(g.is_sparse for g in grads) and not self.sparse:
            raise UserError(f"{type(self).__name__} takes no sparse gradients: use AdaGrad, or SGD without momentum")
        return torch._foreach_neg(grads) if group.get("maximize") else grads

    def slots(self, params: list[Tensor], *names: str, value: float = 0.0) -> list[list[Tensor]]:
        """One list of state tensors for each name, made at the first step; counts the parameters' steps.

        Args:
            params: Whose state.
            *names: Keys of the state.
            value: With which new state tensors are filled.
        """
        found: list[list[Tensor]] = [[] for _ in names]
        for p in params:
            state = self.state[p]
            if "step" not in state:
                state["step"] = 0
                for name in names:
                    state[name] = torch.full_like(p, value, memory_format=torch.preserve_format)
            state["step"] += 1
            for values, name in zip(found, names, strict=True):
                values.append(state[name])
        return found

    def steps(self, params: list[Tensor]) -> list[int]:
        """How many steps each parameter has taken, this one included."""
        return [self.state[p]["step"] for p in params]


def whole(group: Group) -> Group:
    """A group with its parameters as a list: a generator could be read once only."""
    params = group["params"]
    return {**group, "params": [params] if isinstance(params, Tensor) else list(params)}


def evaluate(closure: Closure) -> Any:
    """The closure's loss; it computes the gradients too."""
    with torch.enable_grad():
        return closure()


def decayed(grads: Tensors, params: list[Tensor], weight_decay: float) -> Tensors:
    """The gradients plus those of the penalty weight_decay / 2 * ||p||^2 (Goodfellow 7.1)."""
    return torch._foreach_add(grads, params, alpha=weight_decay) if weight_decay else grads


def check_range(optimizer: str, key: str, value: Any) -> None:
    """Refuses a number out of its range.

    Raises:
        UserError: It is.
    """
    if key not in RANGES:
        return
    low, high, closed = RANGES[key]
    for number in value if isinstance(value, tuple | list) else (value,):
        if not (low <= float(number) < high or (closed and float(number) == high)):
            upper = "" if high == math.inf else f" and {'at most' if closed else 'less than'} {high:g}"
            numbers = "numbers" if key == "betas" else "a number"
            raise UserError(f"{optimizer}: {key} is {value}: give {numbers} of at least {low:g}{upper}")
