"""Which experts a token goes to, how many tokens an expert takes, and the two losses that keep a router useful.

Fedus et al. 2022, "Switch transformers" (one expert, capacity, balancing loss); Jiang et al. 2024, "Mixtral of
experts" (two experts, weights normalized over them); Zoph et al. 2022, "ST-MoE" (z loss). Not in D2L.

An expert's capacity counts the tokens of one sequence, in their order: what a token is given never depends on later
tokens of its sequence or on other sequences of the batch. The order of GShard, first all first choices and then all
second ones, would let a later token take an earlier one's place, and a language model would see its future.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Routing(NamedTuple):
    """Where the tokens of a batch go.

    Args:
        logits: The router's scores (B, T, E), in single precision at least.
        experts: The K chosen experts of each token (B, T, K), best first.
        weights: Of the chosen experts' outputs (B, T, K).
        kept: Whether each choice is within its expert's capacity (B, T, K).
    """

    logits: Tensor
    experts: Tensor
    weights: Tensor
    kept: Tensor


def route(logits: Tensor, top_k: int, capacity: int = 0) -> Routing:
    """The choices of a router with scores (B, T, E).

    With one expert for each token its weight is its probability, so that the router has a gradient (Switch, equation
    2). With several the weights are normalized over those chosen (Mixtral, 2.1).

    Args:
        logits: (B, T, E).
        top_k: Experts K of each token.
        capacity: Most tokens of a sequence that an expert takes; 0 means all.
    """
    probabilities = single(logits).softmax(-1)
    weights, experts = probabilities.topk(top_k, -1)  # (B, T, K)
    if top_k > 1:
        weights = weights / weights.sum(-1, keepdim=True)
    kept = torch.ones_like(experts, dtype=torch.bool)
    if capacity:
        asked = F.one_hot(experts, logits.shape[-1])  # (B, T, K, E)
        place = asked.flatten(1, 2).cumsum(1).view_as(asked)  # 1 for the first token of an expert
        kept = (place * asked).sum(-1) <= capacity
    return Routing(single(logits), experts, weights, kept)


def of_tokens(routing: Routing, which: Tensor) -> Routing:
    """The routing of some tokens ``which`` (B, T), N of them, as one row: (1, N, ...)."""
    return Routing(*(part[which][None] for part in routing))


def single(x: Tensor) -> Tensor:
    """In single precision at least: half precision is not enough for a softmax that decides (Switch, 2.4)."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def capacity_of(tokens: int, num_experts: int, top_k: int, factor: float) -> int:
    """Tokens of a sequence that an expert takes: ``factor`` times its share of all choices; 0, all, for factor 0."""
    return math.ceil(factor * tokens * top_k / num_experts) if factor else 0


def frequencies(routing: Routing) -> Tensor:
    """The fraction of tokens that chose each expert (E,); their sum is K. It has no gradient."""
    counts = F.one_hot(routing.experts, routing.logits.shape[-1]).sum((0, 1, 2))
    return counts.to(routing.logits) / routing.experts[..., 0].numel()


def balance_loss(routing: Routing, frequency: Tensor | None = None) -> Tensor:
    """E sum f P: of each expert, the fraction of tokens and the mean probability. K is its value for even use.

    Args:
        routing: Of a layer.
        frequency: f (E,), where it is known for more tokens than these: with that of the whole batch, the mean
            of the losses of its parts is the loss of the batch, and so are the gradients.
    """
    frequency = frequencies(routing) if frequency is None else frequency
    return len(frequency) * (frequency * routing.logits.softmax(-1).mean((0, 1))).sum()


def z_loss(routing: Routing) -> Tensor:
    """The mean square of log sum exp of the scores: keeps them small, where softmax is precise."""
    return routing.logits.logsumexp(-1).square().mean()


def purity(counts: Tensor) -> Tensor:
    """How well the expert tells the group: counts (G, E) of tokens of G groups that went to E experts -> ().

    The fraction of tokens whose group is the most frequent one of their expert, each group weighed alike: 1/G if
    experts know nothing of the groups, 1 if no expert serves two of them.
    """
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return shares.max(0).values.sum() / len(counts)
