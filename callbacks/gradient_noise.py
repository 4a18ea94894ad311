"""Noise on the gradients, which becomes less with time.

Neelakantan et al. 2015, "Adding Gradient Noise Improves Learning for Very Deep Networks": N(0, eta / (1 + t)^0.55) in
step t. All processes add the same noise, a function of the run's seed and the step, so that their weights stay equal
and a resumed run adds the same.

    dive fit cnn/lenet -c regularizer/gradient_noise
"""

import os
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from common.messages import UserError


class GradientNoise(Callback):
    """Adds normal noise to the gradients before each step.

    Args:
        eta: Variance of the noise in the first step; 0.01, 0.3 and 1 in the paper.
        gamma: How fast the variance becomes less.

    Raises:
        UserError: ``eta`` is negative.
    """

    def __init__(self, eta: float = 0.01, gamma: float = 0.55) -> None:
        if eta < 0:
            raise UserError(f"GradientNoise: eta is {eta}: give a variance of at least 0")
        self.eta, self.gamma = eta, gamma

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if pl_module.device_mesh is not None:
            raise UserError("GradientNoise needs whole gradients: train with -c trainer/ddp")

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        t = trainer.global_step
        std = (self.eta / (1 + t) ** self.gamma) ** 0.5
        seed = (int(os.environ.get("PL_GLOBAL_SEED", 0)) << 24) + t
        generator = torch.Generator().manual_seed(seed)
        for parameter in pl_module.parameters():
            if parameter.grad is not None:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.grad.add_(noise.to(parameter.grad), alpha=std)
