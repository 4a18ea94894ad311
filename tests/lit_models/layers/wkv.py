"""What the tests of the three operators share: two forms compared in outputs, last states and all gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def results(operator: Callable[..., Any], inputs: Sequence[Tensor], state: Sequence[Tensor]) -> list[Tensor]:
    """Outputs, last states, and the gradients of a random sum of both for every input and the first state."""
    inputs = [t.detach().clone().requires_grad_() for t in inputs]
    first = [t.detach().clone().requires_grad_() for t in state]
    y, last = operator(*inputs, tuple(first) if len(first) > 1 else first[0])
    states = list(last) if isinstance(last, tuple) else [last]
    generator = torch.Generator().manual_seed(1)
    parts = [t for t in (y, *states) if t.requires_grad]
    loss = sum((t * torch.randn(t.shape, generator=generator, dtype=t.dtype)).sum() for t in parts)
    wanted = inputs + first[:2]  # the exponent of RWKV-4's state is a constant of its gradients
    return [y, *states, *torch.autograd.grad(loss, wanted)]  # type: ignore[list-item, arg-type]


def difference(one: Callable[..., Any], other: Callable[..., Any], inputs: Sequence[Tensor], state: Any) -> float:
    """The largest difference, relative to the largest number of each tensor where that is above 1."""
    pairs = zip(results(one, inputs, state), results(other, inputs, state), strict=True)
    worst = [float((a - b).detach().abs().max() / max(1.0, float(a.detach().abs().max()))) for a, b in pairs]
    assert all(w == w for w in worst), "not a number"
    return max(worst)


def split_equals_whole(operator: Callable[..., Any], inputs: Sequence[Tensor], timed: int, state: Any) -> bool:
    """Whether two pieces, the state carried over, give what the whole gives; the first ``timed`` inputs have time."""
    rest = inputs[timed:]
    whole, last = operator(*inputs, state)
    y1, middle = operator(*(t[:, :7] for t in inputs[:timed]), *rest, state)
    y2, end = operator(*(t[:, 7:] for t in inputs[:timed]), *rest, middle)
    ends = zip(end, last, strict=True) if isinstance(end, tuple) else [(end, last)]
    return torch.allclose(torch.cat([y1, y2], 1), whole) and all(torch.allclose(a, b) for a, b in ends)
