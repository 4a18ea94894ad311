"""An exponential moving average of the weights whose memory grows with the run.

After few steps an average with decay 0.9999 would still be the initial weights. With the warm-up it averages over
about a tenth of the steps so far: the decay is (1 + n) / (10 + n) after n updates, until it reaches ``decay`` (as in
the training code of Ho et al. 2020 and diffusers' ``EMAModel``).
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from common.messages import UserError


class WarmupEMA(WeightAveraging):
    """Averages the weights in training; validation, test, ``best.ckpt`` and everything later use the average.

    Args:
        decay: Of the average in the end: 0.999 remembers about the last thousand steps.
        use_buffers: Whether the averages of buffers (statistics of batch normalization) are taken too.
        **averaging: See Lightning's ``WeightAveraging``.
    """

    def __init__(self, decay: float = 0.999, use_buffers: bool = True, **averaging: Any) -> None:
        def update(averages: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
            if averages[0].is_floating_point():
                torch._foreach_lerp_(averages, current, 1 - decay_after(int(updates), decay))
            else:  # batch normalization counts its batches
                torch._foreach_copy_(averages, current)

        super().__init__(use_buffers=use_buffers, multi_avg_fn=torch.no_grad()(update), **averaging)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            take_precision(self._average_model, str(trainer.precision), "WarmupEMA")


def take_precision(average: torch.nn.Module | None, precision: str, name: str) -> None:
    """Gives an average the type of the weights, which the trainer converts only after callbacks were set up.

    Raises:
        UserError: Half precision, in which the small steps of an average are rounded away.
    """
    if precision in ("bf16-true", "16-true"):
        raise UserError(f"{name}: trainer.precision {precision} is too coarse for a mean of weights: give bf16-mixed")
    if precision == "64-true" and average is not None:
        average.double()


def decay_after(updates: int, most: float) -> float:
    """The decay of the average after a number of updates: 0.1 at first, at most ``most``."""
    return min(most, (1 + updates) / (10 + updates))
