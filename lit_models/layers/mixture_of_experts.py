"""A mixture of experts: many feed-forward parts, of which each token uses one or two.

Shazeer et al. 2017, "Outrageously large neural networks"; Fedus et al. 2022, "Switch transformers"; Jiang et al. 2024,
"Mixtral of experts". Not in D2L. The parameters grow with the number of experts, the computation of a token does not.

Departs from the papers: capacity is applied in training only. In evaluation every token is served, so that a text
that is read at once and one that is read token by token have the same output; what would be dropped is still counted.
Every expert is called in each forward pass, if need be with no tokens: its gradient is then zero and not missing, which
distributed training needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.functional.routing import Routing, capacity_of, route
from lit_models.layers.precision import full_precision


class MixtureOfExperts(nn.Module):
    """(B, T, hidden_size) -> the same; each token through ``top_k`` of the experts.

    Args:
        hidden_size: Width D.
        num_experts: E.
        expert: Makes an expert, a module (N, D) -> (N, D); called E times.
        top_k: Experts K of each token.
        capacity_factor: In training, an expert takes at most this multiple of its share of a sequence's tokens, and
            the rest is dropped: their output is 0, and only the residual connection is left. 0: nothing is dropped.

    Raises:
        UserError: More experts for a token than there are.
    """

    def __init__(
        self,
        hidden_size: int,
        num_experts: int,
        expert: Callable[[], nn.Module],
        top_k: int = 1,
        capacity_factor: float = 0.0,
    ) -> None:
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise UserError(f"model.experts_per_token is {top_k}: give 1 to model.num_experts, which is {num_experts}")
        if capacity_factor < 0:
            raise UserError(f"model.capacity_factor is {capacity_factor}: give a positive number, or 0 for no limit")
        self.router = nn.Linear(hidden_size, num_experts, bias=False)
        self.experts = nn.ModuleList(expert() for _ in range(num_experts))
        self.top_k, self.capacity_factor = top_k, capacity_factor
        self.record: list[Routing] | None = None  # where ``recorded`` wants this layer's routing

    def forward(self, x: Tensor) -> Tensor:
        capacity = capacity_of(x.shape[1], len(self.experts), self.top_k, self.capacity_factor)
        routing = route(scores(self.router, x), self.top_k, capacity)
        if self.record is not None:
            self.record.append(routing)
        serves = routing.kept if self.training else torch.ones_like(routing.kept)
        flat = x.flatten(0, 1)  # (N, D), N = B T
        output = torch.zeros_like(flat)
        chosen = torch.where(serves, routing.experts, -1).flatten(0, 1)  # (N, K)
        for number, expert in enumerate(self.experts):
            token, choice = (chosen == number).nonzero(as_tuple=True)
            weight = routing.weights.flatten(0, 1)[token, choice, None].to(flat.dtype)
            output = output.index_add(0, token, (weight * expert(flat[token])).to(flat.dtype))
        return output.view_as(x)


def scores(router: nn.Linear, x: Tensor) -> Tensor:
    """The router's scores (B, T, E), not in half precision though the rest may be (Switch, 2.4): rounding would send
    tokens to other experts. A router whose own weights are of half precision stays so.
    """
    with full_precision(x):
        return router(x.to(router.weight.dtype))


@contextmanager
def recorded(net: nn.Module) -> Iterator[list[Routing]]:
    """Collects the routing of each mixture of a network, in the order of its layers, while the context is open."""
    layers = [module for module in net.modules() if isinstance(module, MixtureOfExperts)]
    found: list[Routing] = []
    for layer in layers:
        layer.record = found
    try:
        yield found
    finally:
        for layer in layers:
            layer.record = None
