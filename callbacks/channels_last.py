"""Convolutions in channels-last order: the fast one for narrow networks on a CPU and for tensor cores."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from common.messages import note


class ChannelsLast(Callback):
    """Stores the weights of 2-D convolutions as (out, H, W, in) in memory; their outputs follow, shapes stay.

    Weights that several processes share out (``callbacks/sharded.py``) stay as they are: FSDP2 takes no other order.
    So do those of a network on the CPU with a convolution that oneDNN cannot differentiate (``corrupts_memory``).
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if pl_module.device_mesh is not None:
            return
        if pl_module.device.type == "cpu" and any(corrupts_memory(module) for module in pl_module.modules()):
            note("a strided 1 x 1 convolution has fewer than 8 input channels: not in channels-last order")
            return
        pl_module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def corrupts_memory(module: nn.Module) -> bool:
    """Whether oneDNN 3.x writes behind the gradient of its weights, in channels-last order, on a processor with AVX2
    and without AVX-512: a strided 1 x 1 convolution of 2 to 7 channels, the shortcut of a very narrow residual network.
    """
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and max(module.stride) > 1
        and 1 < module.in_channels // module.groups < 8
    )
