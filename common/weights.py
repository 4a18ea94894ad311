"""Which parameters of a network are weights: weight decay, penalties, limits and noise leave biases and gains alone."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def is_weight(name: str, parameter: "Tensor") -> bool:
    """Whether a parameter is a weight: neither a bias nor the gain of a normalization layer.

    Args:
        name: Of the parameter. A bias may have several dimensions, such as one of each position.
        parameter: A weight has at least two dimensions.
    """
    return parameter.ndim >= 2 and not name.endswith("bias")
