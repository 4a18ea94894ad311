"""Convolutions in channels-last order: the fast one for narrow networks on a CPU and for tensor cores."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class ChannelsLast(Callback):
    """Stores the weights of 2-D convolutions as (out, H, W, in) in memory; their outputs follow, shapes stay.

    Weights that several processes share out (``callbacks/sharded.py``) stay as they are: FSDP2 takes no other order.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if pl_module.device_mesh is None:
            pl_module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
