"""Layers that learn their input size from the first input. D2L 6.4.

The book builds all its networks from them. This project does not: until the first input there is nothing to count,
initialize, give to an optimizer, wrap for several processes or load a checkpoint into, and each of these fails in its
own way (``test_lazy.py`` shows which). Where one must be used, ``materialize`` comes first.
"""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy


def is_materialized(module: nn.Module) -> bool:
    """Whether every parameter and buffer has a shape."""
    return not any(is_lazy(t) for t in [*module.parameters(), *module.buffers()])


def materialize(module: nn.Module, *inputs: Tensor) -> nn.Module:
    """Gives every lazy layer its size by one forward pass, in evaluation, without gradients; returns the module.

    Raises:
        RuntimeError: A layer is still without a size: the pass did not reach it.
    """
    training = module.training
    with torch.no_grad():
        module.eval()(*inputs)
    module.train(training)
    if not is_materialized(module):
        names = [name for name, p in module.named_parameters() if is_lazy(p)]
        raise RuntimeError(f"still without a size after a forward pass: {', '.join(names)}")
    return module
