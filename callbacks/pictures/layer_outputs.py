"""The outputs of a network's layers with kernels on a batch, in the order of use, for pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def has_kernels(module: nn.Module) -> bool:
    """Whether a layer has a kernel: a parameter of three or more dimensions, or a fixed buffer of two."""
    own = [p.ndim - 1 for p in module.parameters(recurse=False)] + [b.ndim for b in module.buffers(recurse=False)]
    return max(own, default=0) >= 2


@contextmanager
def layer_outputs(net: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Within the context, a call of ``net`` fills the dictionary with maps (B, C, H, W), by the names of the layers."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                outputs[name] = output

        return hook

    hooks = [m.register_forward_hook(keep(name)) for name, m in net.named_modules() if has_kernels(m)]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
