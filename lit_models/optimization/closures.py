"""A closure that is computed several times in one step: the same batch, the same random numbers.

Line searches and SAM need the loss at other points than the present one. Lightning's automatic optimization gives each
optimizer a closure with the training step and the backward pass of one batch; what is missing is the random state:
without it a second evaluation has another dropout mask and is another function. Running statistics of batch
normalization see each evaluation.
"""

from typing import Any

import torch

from common.messages import UserError
from lit_models.optimization.by_hand import Closure, evaluate


class SameBatch:
    """Calls a closure as often as needed with the random state of its first call, and leaves the state after that call.

    Args:
        closure: Computes the loss and the gradients.
        optimizer: Name of the optimizer, for the error.

    Raises:
        UserError: There is no closure.
    """

    def __init__(self, closure: Closure | None, optimizer: str) -> None:
        if closure is None:
            raise UserError(
                f"{optimizer} computes the loss several times in a step and needs a closure for it: not possible "
                "under trainer.precision 16-mixed or with an optimizer.step() without one"
            )
        self.closure = closure
        self.before: Any = None
        self.after: Any = None
        self.calls = 0

    def __call__(self) -> Any:
        if self.before is None:
            self.before = random_state()
            loss = evaluate(self.closure)
            self.after = random_state()
        else:
            restore(self.before)
            loss = evaluate(self.closure)
            restore(self.after)
        self.calls += 1
        return loss


def random_state() -> tuple[Any, Any]:
    """The state of torch's generators: the CPU's, and the GPUs' where there are some."""
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None


def restore(state: tuple[Any, Any]) -> None:
    """Sets what ``random_state`` returned."""
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state_all(state[1])


def refuse_accumulation(optimizer: str, trainer: Any) -> None:
    """Refuses several batches a step: the closure would compute only the last of them again.

    Raises:
        UserError: The trainer accumulates gradients.
    """
    if trainer.accumulate_grad_batches != 1:
        raise UserError(
            f"trainer.accumulate_grad_batches is {trainer.accumulate_grad_batches}: {optimizer} computes a batch "
            "several times in a step: make data.batch_size larger instead"
        )
