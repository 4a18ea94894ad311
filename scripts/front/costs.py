"""Two properties of a network that single layers do not show: receptive fields, and the memory of training.

The receptive field is the theoretical one (Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional
Neural Networks"): the side in pixels of the square that can change a unit, along the path with the largest field. It
may be larger than the image.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

WHOLE = math.inf  # of a unit that depends on the whole image, of any size
POOLINGS = ("max_pool2d_with_indices", "max_pool2d", "avg_pool2d")
MIXING = ("addmm", "mm", "bmm", "linear")


class ReceptiveFields(TorchDispatchMode):
    """Follows the receptive fields of images through everything that is computed from them.

    Args:
        images: (B, C, H, W). The receptive field of a pixel is itself.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.fields = WeakIdKeyDictionary()
        self.fields[images] = (1.0, 1.0)  # the side of the field; the step in pixels from one unit to the next

    def of(self, value: Any) -> float | None:
        """The field of a tensor, of the widest of several; None if they do not depend on an image."""
        found = [self.fields[t][0] for t in tree_leaves(value) if isinstance(t, Tensor) and t in self.fields]
        return max(found, default=None)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        sources = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor) and t in self.fields]
        if sources:
            field, step = map(max, zip(*(self.fields[t] for t in sources), strict=True))
            window, stride = reach(func.overloadpacket.__name__, args, out)
            for tensor in tree_leaves(out):
                if isinstance(tensor, Tensor):
                    self.fields[tensor] = (field + (window - 1) * step, step * stride)
        return out


def reach(operation: str, args: Any, out: Any) -> tuple[float, float]:
    """The number of neighboring input units of an operation's window, and the stride between windows."""

    def first(value: Any) -> int:
        return value if isinstance(value, int) else value[0]

    if operation == "convolution":
        _, weight, _, stride, _, dilation, transposed = args[:7]
        if transposed:
            return math.ceil(weight.shape[2] / stride[0]), 1 / stride[0]
        return (weight.shape[2] - 1) * dilation[0] + 1, stride[0]
    if operation in POOLINGS:
        window = first(args[1])
        return window, first(args[2]) if len(args) > 2 and args[2] else window
    if operation == "_adaptive_avg_pool2d":
        before, after = args[0].shape[-1], out.shape[-1]
        stride = max(1, before // after)
        return max(1, before - (after - 1) * stride), stride
    over_space = operation in ("mean", "sum") and args[0].ndim == 4 and len(args) > 1 and {2, 3, -1, -2} & {*args[1]}
    return (WHOLE, 1) if over_space or operation in MIXING else (1, 1)


def kept_for_backward(model: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Bytes that a forward pass in training mode leaves for the backward pass, weights and inputs not counted."""
    return kept_by(lambda: model(*inputs), [*model.parameters(), *model.buffers(), *inputs])


def kept_by(forward: Callable[[], Any], tensors: Iterable[Tensor]) -> int:
    """Bytes that a computation leaves for its backward pass, ``tensors`` not counted."""
    known = {t.untyped_storage()._cdata for t in tensors}
    kept: dict[int, tuple[int, Tensor]] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = (storage.nbytes(), tensor)  # the tensor too, so that its address is not reused
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(note, lambda tensor: tensor):
        output = forward()
    del output
    return sum(size for size, _ in kept.values())
