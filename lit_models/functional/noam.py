"""The transformer's learning rate: up in a straight line while it warms up, then down with the root of the step.

Vaswani et al. 2017, equation 3.
"""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class NoamLR(LambdaLR):
    """rate = lr * hidden_size^-0.5 * min(step^-0.5, step * warmup_steps^-1.5), with ``lr_interval: step``.

    Args:
        optimizer: Its ``lr`` is a factor: 1 in the paper.
        hidden_size: Features of a token.
        warmup_steps: 4,000 in the paper; the rate is highest there.
    """

    def __init__(self, optimizer: Optimizer, hidden_size: int, warmup_steps: int) -> None:
        self.hidden_size, self.warmup_steps = hidden_size, warmup_steps
        super().__init__(optimizer, self.factor)

    def factor(self, step: int) -> float:
        """What ``lr`` is multiplied by in optimiser step ``step``, counted from 0."""
        n = step + 1
        return float(self.hidden_size**-0.5 * min(n**-0.5, n * self.warmup_steps**-1.5))
