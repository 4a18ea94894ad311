"""The receptive field of an output, computed from the layers' sizes.

Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks"; Goodfellow et al. 9.2. Each
layer adds (kernel - 1) dilation steps of the layers before it. The field contains the pixels that can matter; how much
each matters is shown by the gradient, a narrower Gaussian shape (Luo et al. 2016):
``callbacks/pictures/receptive_field.py`` draws it.
"""

from typing import NamedTuple

from torch import nn

from lit_models.convolution.pooling import BlurPool2d, MaxBlurPool2d
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d


class Field(NamedTuple):
    """One layer's view of the image, along one side.

    Attributes:
        name: The layer.
        size: Width of the field in pixels.
        jump: Pixels from one unit to the next.
        start: The first pixel that unit 0 sees; negative in the padding.
    """

    name: str
    size: int
    jump: int
    start: int


def grow(field: Field, name: str, kernel: int, stride: int, padding: int, dilation: int = 1) -> Field:
    """The field after one more layer."""
    size = field.size + (kernel - 1) * dilation * field.jump
    return Field(name, size, field.jump * stride, field.start - padding * field.jump)


def first(value: object) -> int:
    return int(value[0]) if isinstance(value, tuple) else int(value)  # type: ignore[call-overload]


def receptive_fields(net: nn.Module) -> list[Field]:
    """The field after each convolution and pooling of a network that is a chain, in the order of ``named_modules``.

    ``MaxBlurPool2d`` has two: after its maximum, under its own name, and after its blurring.
    """
    field, fields = Field("image", 1, 1, 0), []
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.MaxPool1d | nn.MaxPool2d):
            sizes = (module.kernel_size, module.stride, module.padding, module.dilation)
        elif isinstance(module, nn.AvgPool1d | nn.AvgPool2d):
            sizes = (module.kernel_size, module.stride, module.padding, 1)
        elif isinstance(module, nn.LPPool1d | nn.LPPool2d):
            sizes = (module.kernel_size, module.stride or module.kernel_size, 0, 1)
        elif isinstance(module, UnsharedConv2d | TiledConv2d):
            sizes = (module.kernel_size, module.stride, module.padding, 1)
        elif isinstance(module, MaxBlurPool2d):
            sizes = (2, 1, 0, 1)  # its maximum; its blurring is a layer inside of it
        elif isinstance(module, BlurPool2d):
            sizes = (module.kernel.shape[0], module.stride, module.edges[0], 1)
        else:
            continue
        field = grow(field, name, *(first(size) for size in sizes))
        fields.append(field)
    return fields
