"""Networks that rank, against the published formulas for one user and one item: NeuMF, Caser, LightGCN."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_models.recommender.caser import Caser
from lit_models.recommender.lightgcn import LightGCN
from lit_models.recommender.neumf import NeuMF
from scripts.evidence.parity.recommender import PAIRS, E, I, U, matrix, randomized
from scripts.evidence.verify import Check, Tensors

USERS = torch.tensor([0, 3, 8])
ITEMS = torch.tensor([[1, 11], [0, 5], [7, 7]])
HISTORY = torch.tensor([[I, I, 2, 5], [9, 1, 0, 4], [I, 3, 3, 8]])  # padded with I
GRAPH = PAIRS[:, 0] * I + PAIRS[:, 1]
Weights = dict[str, Tensor]
Score = Callable[[Weights, int, list[int], int], Tensor]  # weights, user, history, item


def scores_and_gradients(scores: Tensor, parameters: Any) -> Tensors:
    """Scores (B, K), and the gradients of the sum of their squares."""
    scores.square().sum().backward()
    return {"scores": scores.detach()} | {f"grad {n}": p.grad for n, p in parameters if p.grad is not None}


def ours(make: Callable[[], Any]) -> Tensors:
    net = make().eval()
    with torch.no_grad():
        every = net(USERS, HISTORY)  # the full ranking is another path through the code
    return {"every item": every} | scores_and_gradients(net(USERS, HISTORY, ITEMS), net.named_parameters())


def looped(make: Callable[[], Any], score: Score) -> Tensors:
    """The same network's scores by a formula for one user and one item."""
    weights = {n: p.detach().clone().requires_grad_() for n, p in make().named_parameters()}

    def row(k: int, items: list[int]) -> Tensor:
        return torch.stack([score(weights, int(USERS[k]), HISTORY[k].tolist(), item) for item in items])

    every = torch.stack([row(k, list(range(I))) for k in range(len(USERS))]).detach()
    some = torch.stack([row(k, ITEMS[k].tolist()) for k in range(len(USERS))])
    return {"every item": every} | scores_and_gradients(some, weights.items())


# -- NeuMF ----------------------------------------------------------------------------------------------------------


def neumf() -> Any:
    return randomized(NeuMF(U, I, E, (6, 5)))


def score_neumf(w: Weights, user: int, history: list[int], item: int, shared: bool = False) -> Tensor:
    """He et al., equation 12; ``shared``: one vector for both parts."""
    product = w["user.weight"][user] * w["item.weight"][item]
    tables = ("user.weight", "item.weight") if shared else ("mlp_user.weight", "mlp_item.weight")
    hidden = torch.cat([w[tables[0]][user], w[tables[1]][item]])
    for layer in (0, 2):
        hidden = (w[f"mlp.{layer}.weight"] @ hidden + w[f"mlp.{layer}.bias"]).clamp(min=0)
    unused = 0.0 * (w["mlp_user.weight"].sum() + w["mlp_item.weight"].sum())  # a gradient of 0 where they are unused
    return w["output.weight"][0] @ torch.cat([product, hidden]) + w["bias.weight"][item, 0] + unused


# -- Caser ----------------------------------------------------------------------------------------------------------


def caser() -> Any:
    net = randomized(Caser(U, I, context=4, embed_size=3, horizontal=2, vertical=2, dropout=0.0))
    with torch.no_grad():
        net.item.weight[I] = 0
    return net


def score_caser(w: Weights, user: int, history: list[int], item: int, last: bool = False) -> Tensor:
    """Tang and Wang, equations 4 to 11, kernel by kernel; ``last``: the last place in the place of the largest."""
    window = torch.stack([w["item.weight"][i] if i < I else 0.0 * w["item.weight"][0] for i in history])  # (4, k)
    found = []
    for h in range(1, 5):
        kernels, biases = w[f"across.{h - 1}.weight"], w[f"across.{h - 1}.bias"]
        for kernel, bias in zip(kernels[:, 0], biases, strict=True):
            places = torch.stack([(kernel * window[t : t + h]).sum() + bias for t in range(5 - h)]).clamp(min=0)
            found.append(places[-1] if last else places.max())
    for kernel, bias in zip(w["down.weight"][:, 0, :, 0], w["down.bias"], strict=True):
        found.extend(kernel @ window + bias)
    z = (w["dense.weight"] @ torch.stack(found) + w["dense.bias"]).clamp(min=0)
    return w["output.weight"][item] @ torch.cat([z, w["user.weight"][user]]) + w["bias.weight"][item, 0]


# -- LightGCN -------------------------------------------------------------------------------------------------------


def lightgcn() -> Any:
    net = randomized(LightGCN(U, I, E, num_layers=2))
    net.take_graph(GRAPH)
    return net


def dense_lightgcn(itself: bool = False) -> Tensors:
    """He et al., equation 8, with the whole normalized adjacency; ``itself``: with self-connections, as other GCNs."""
    nodes = lightgcn().nodes.weight.detach().clone().requires_grad_()
    adjacency = torch.zeros(U + I, U + I, dtype=torch.float64)
    adjacency[:U, U:] = torch.from_numpy(matrix())
    adjacency = adjacency + adjacency.T + (torch.eye(U + I) if itself else 0)
    degree = adjacency.sum(1).clamp(min=1).rsqrt()  # of a node without edges every power is 0
    step = degree[:, None] * adjacency * degree
    smoothed = (nodes + step @ nodes + step @ step @ nodes) / 3
    every = smoothed[:U] @ smoothed[U:].T
    some = every[USERS[:, None], ITEMS]
    return {"every item": every[USERS].detach()} | scores_and_gradients(some, [("nodes.weight", nodes)])


CHECKS = [
    Check(
        "recommender/neumf",
        "NeuMF: scores of some and of all items and gradients, one user and one item at a time",
        "torch",
        partial(ours, neumf),
        partial(looped, neumf, score_neumf),
        partial(looped, neumf, partial(score_neumf, shared=True)),
        "one vector for the product and the network",
    ),
    Check(
        "recommender/caser",
        "Caser: scores of some and of all items and gradients, kernel by kernel, place by place",
        "torch",
        partial(ours, caser),
        partial(looped, caser, score_caser),
        partial(looped, caser, partial(score_caser, last=True)),
        "the last place in the place of the largest",
    ),
    Check(
        "recommender/lightgcn",
        "LightGCN over edges against powers of the whole normalized adjacency",
        "torch",
        partial(ours, lightgcn),
        dense_lightgcn,
        partial(dense_lightgcn, itself=True),
        "self-connections",
    ),
]
