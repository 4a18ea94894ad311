"""Expert parallelism: each process has some of the experts, and tokens travel to theirs and back.

Lepikhin et al. 2021, "GShard", section 3.3; Fedus et al. 2022, "Switch transformers", section 5. Data is divided too:
each process has its own sequences, routes them with its own copy of the router, sends each token to the process that
has its expert and gets the output back. Two exchanges forward, two backward.

    layer = ExpertParallel(MixtureOfExperts(64, 8, partial(FeedForward, 64, 256)))     in each process

An expert's gradient is the sum over the tokens of all processes, where data parallelism takes the mean of the
processes' losses: divide it by their number (``experts``), and average the router's.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from common.messages import UserError
from lit_models.functional.routing import capacity_of, route
from lit_models.layers.mixture_of_experts import MixtureOfExperts, scores
from lit_models.parallel.point_to_point import everybody, exchange, rank, world


class Swap(Function):
    """Rows to all processes and rows from them: (N, D) -> (M, D); backward: the gradients go the way back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sends: list[int], receives: list[int]) -> Tensor:
        """``sends`` and ``receives`` are numbers of rows, by process; the rows are in the order of the processes."""
        ctx.sends, ctx.receives = sends, receives
        return swap(rows, sends, receives)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return swap(grad, ctx.receives, ctx.sends), None, None


def swap(rows: Tensor, sends: list[int], receives: list[int]) -> Tensor:
    """One exchange; what a process sends to itself is copied, and nothing is sent where there are no rows."""
    me, mine = rank(), [part.contiguous() for part in rows.split(sends)]
    arrived = [rows.new_empty(size, rows.shape[1]) for size in receives]
    arrived[me] = mine[me]
    others = [peer for peer in range(world()) if peer != me]
    exchange({p: mine[p] for p in others if sends[p]}, {p: arrived[p] for p in others if receives[p]})
    return torch.cat(arrived)


class ExpertParallel(nn.Module):
    """A mixture whose experts are divided among the processes: (B, T, D) -> (B, T, D), B rows of this process.

    Args:
        whole: The mixture, the same in each process; this process keeps its part of the experts.

    Raises:
        UserError: The processes cannot have as many experts each.
    """

    def __init__(self, whole: MixtureOfExperts) -> None:
        super().__init__()
        self.num_experts, processes = len(whole.experts), world()
        if self.num_experts % processes:
            raise UserError(
                f"{self.num_experts} experts cannot be shared evenly by {processes} processes: "
                f"give model.num_experts a multiple of {processes}"
            )
        self.own = self.num_experts // processes
        self.router, self.experts = whole.router, whole.experts[rank() * self.own : (rank() + 1) * self.own]
        self.top_k, self.capacity_factor = whole.top_k, whole.capacity_factor

    def forward(self, x: Tensor) -> Tensor:
        limit = capacity_of(x.shape[1], self.num_experts, self.top_k, self.capacity_factor) if self.training else 0
        routing = route(scores(self.router, x), self.top_k, limit)
        flat = x.flatten(0, 1)  # (N, D)
        token, choice = routing.kept.flatten(0, 1).nonzero(as_tuple=True)
        expert = routing.experts.flatten(0, 1)[token, choice]
        order = expert.argsort(stable=True)  # by expert, and so by process
        token, choice = token[order], choice[order]

        asked = torch.stack(everybody(expert.bincount(minlength=self.num_experts)))  # (processes, E)
        share = asked.view(len(asked), -1, self.own)  # of each process, for each process, by expert
        sends, receives = share[rank()].sum(1).tolist(), share[:, rank()].sum(1).tolist()
        arrived = Swap.apply(flat[token], sends, receives)
        pieces = arrived.split(share[:, rank()].flatten().tolist())  # by process, then by expert
        found = [self.serve(number, pieces[number :: self.own]) for number in range(self.own)]
        answered = torch.cat([piece for process in zip(*found, strict=True) for piece in process])
        output = Swap.apply(answered, receives, sends)
        weight = routing.weights.flatten(0, 1)[token, choice, None].to(flat.dtype)
        return torch.zeros_like(flat).index_add(0, token, weight * output).view_as(x)

    def serve(self, number: int, pieces: tuple[Tensor, ...]) -> list[Tensor]:
        """The outputs of one of this process's experts for the tokens of each process."""
        return list(self.experts[number](torch.cat(pieces)).split([len(piece) for piece in pieces]))
