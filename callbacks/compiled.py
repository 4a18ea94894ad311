"""``torch.compile`` for the network: the operations of a step fused into fewer, larger ones (``-c trainer/compile``).

The network is compiled in place, when its first batch comes: the names in a checkpoint stay, and a run with it can be
continued, tested and exported without it. The first step then takes 2 to 30 seconds longer, and so does the first one
of each other shape of the batch, up to a few; what is gained depends on the network and the machine, often nothing on a
CPU. D2L 13.1.
"""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from common.messages import note


class Compiled(Callback):
    """Compiles ``net`` of the module for training.

    Args:
        backend: torch's name of the compiler; ``eager`` only traces the network.
        dynamic: Whether sizes may change without a new compilation; None lets torch decide.
    """

    def __init__(self, backend: str = "inductor", dynamic: bool | None = None) -> None:
        self.backend, self.dynamic = backend, dynamic

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        net: Any = getattr(pl_module, "net", None)
        if not isinstance(net, nn.Module):
            note(f"{type(pl_module).__name__} has no `net`: nothing is compiled")
            return
        if net._compiled_call_impl is None:
            net.compile(backend=self.backend, dynamic=self.dynamic)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The network as it was: what is evaluated once need not be compiled."""
        net: Any = getattr(pl_module, "net", None)
        if isinstance(net, nn.Module):
            net._compiled_call_impl = None
