"""Devices: naming one, finding the best, and where the parts of a network are. D2L 6.7.

Departs from the book: its ``try_gpu(5)`` returns the CPU if there are fewer GPUs, and its trainer asks for
several and uses the first; here a missing device is an error. Lightning's ``accelerator`` and
``devices`` do all of this for the recipes (``-c trainer/gpu``, ``-c trainer/ddp``).
"""

import torch
from torch import nn

from common.messages import UserError


def gpu_count() -> int:
    return torch.cuda.device_count()


def gpu(i: int = 0) -> torch.device:
    """The i-th GPU.

    Raises:
        UserError: There are not so many.
    """
    if not 0 <= i < gpu_count():
        raise UserError(f"GPU {i} was asked for, and there are {gpu_count()}: count from 0, or use the CPU")
    return torch.device("cuda", i)


def best_device() -> torch.device:
    """The first GPU; Apple's where there is one; else the CPU."""
    if gpu_count():
        return gpu()
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def devices_of(module: nn.Module) -> set[torch.device]:
    """Where a module's parameters and buffers lie; more than one is a module moved in part."""
    return {t.device for t in [*module.parameters(), *module.buffers()]}
