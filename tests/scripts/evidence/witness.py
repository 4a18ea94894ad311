"""Counts what a benchmark really does."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook


class Witness:
    """Counts, outside of all benchmark code, optimizer steps and the samples that reach the last layer."""

    def __init__(self) -> None:
        self.steps, self.samples, self.optimizers = 0, 0, list[torch.optim.Optimizer]()
        self.hooks = [
            register_optimizer_step_post_hook(self.step),
            register_module_forward_hook(self.forward),
        ]

    def step(self, optimizer: torch.optim.Optimizer, *args: Any) -> None:
        self.steps += 1
        self.optimizers.append(optimizer)

    def forward(self, module: nn.Module, inputs: tuple[torch.Tensor], output: Any) -> None:
        if isinstance(module, nn.Linear) and module.out_features == 10:
            self.samples += len(inputs[0])
