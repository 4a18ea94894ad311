"""Where the parts of a divided network meet: sums and gathered tensors that know their own derivatives.

A divided network computes one loss in all processes: each has all values that it needs, and the same loss. The
derivative of that loss with respect to a gathered value is found in pieces, since each process uses the value for its
own units only. So the backward pass of gathering **sums** over the processes, and each takes the sum for its own part:
an average, as data parallelism forms it, would be too small by the number of processes. The same argument gives the
other two: the sum's derivative is passed on unchanged, and a value that one process hands out gets back the sum.

Shoeybi et al. 2019, "Megatron-LM", section 3, calls such pairs f and g; Krizhevsky 2014, section 4, describes them in
words.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from lit_models.parallel.point_to_point import everybody, exchange, rank, world


class Gather(Function):
    """Joins the tensors of all processes along a dimension; backward: the sum over processes, of which each takes its
    own piece.
    """

    @staticmethod
    def forward(ctx: Any, mine: Tensor, dim: int) -> Tensor:
        ctx.dim = dim
        return torch.cat(everybody(mine), dim)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        pieces = [piece.contiguous() for piece in grad.chunk(world(), ctx.dim)]
        return sum_of_pieces(pieces), None


class Add(Function):
    """The sum over all processes; backward: unchanged, since all of them have the whole derivative."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        return torch.stack(everybody(mine)).sum(0)  # in the order of the ranks: the same in each process

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class HandOut(Function):
    """The tensor of process ``owner`` in all of them; backward: the sum over processes, for the owner."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor, owner: int) -> Tensor:
        ctx.owner, me, mine = owner, rank(), mine.contiguous()
        if me == owner:
            exchange({k: mine for k in range(world()) if k != me}, {})
            return mine.clone()
        theirs = torch.empty_like(mine)
        exchange({}, {owner: theirs})
        return theirs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        grad, me = grad.contiguous(), rank()
        if me != ctx.owner:
            exchange({ctx.owner: grad}, {})
            return torch.zeros_like(grad), None
        parts = {k: torch.empty_like(grad) for k in range(world()) if k != me}
        exchange({}, parts)
        return torch.stack([grad if k == me else parts[k] for k in range(world())]).sum(0), None


class Scale(Function):
    """The tensor itself; backward: times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factor, None


def sum_of_pieces(pieces: list[Tensor]) -> Tensor:
    """Piece k goes to process k; what all processes have for this one is summed (a reduce-scatter in one step)."""
    me = rank()
    found = [pieces[me] if k == me else torch.empty_like(pieces[me]) for k in range(world())]
    others = [k for k in range(world()) if k != me]
    exchange({k: pieces[k] for k in others}, {k: found[k] for k in others})
    return torch.stack(found).sum(0)


def gather(mine: Tensor, dim: int) -> Tensor:
    """The tensors of all processes joined along ``dim``; they have equal shapes."""
    return Gather.apply(mine, dim)


def add(mine: Tensor) -> Tensor:
    """The sum of the tensors of all processes."""
    return Add.apply(mine)


def hand_out(mine: Tensor, owner: int) -> Tensor:
    """The tensor of process ``owner``; that of the others gives the shape only."""
    return HandOut.apply(mine, owner)


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """x, whose derivative is multiplied by a factor."""
    return Scale.apply(x, factor)


def gather_rows(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The rows of all processes' batches, in the order in which one process would have them (they were distributed in
    turn). All batches have as many rows.
    """
    return tuple(torch.stack(everybody(tensor), 1).flatten(0, 1) for tensor in batch)
