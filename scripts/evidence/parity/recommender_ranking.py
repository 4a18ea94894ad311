"""Rankers against the published formulas, one user and one item at a time: BPR-MF, NeuMF, Caser, LightGCN, AutoRec,
item neighborhoods, popularity.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import Tensor

from lit_models.recommender.autorec import LitAutoRec
from lit_models.recommender.bpr_mf import LitBPRMF
from lit_models.recommender.caser import Caser
from lit_models.recommender.item_knn import ItemItem, cosine_neighbors, gram
from lit_models.recommender.lightgcn import LightGCN
from lit_models.recommender.neumf import NeuMF
from lit_models.recommender.popularity import LitPopularity
from scripts.evidence.parity.recommender import HAS, PAIRS, STARS, E, I, U, matrix, randomized
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


# -- BPR-MF: the whole step, with its update ------------------------------------------------------------------------

DRAWN = torch.tensor([[4], [2], [10]])  # the negatives of the step


def bpr_mf() -> Any:
    return randomized(LitBPRMF(num_users=U, num_items=I, embed_size=E, loss="bpr", penalty=0.3))


def our_bpr() -> Tensors:
    task = bpr_mf()
    task.negatives = lambda users, count: DRAWN
    loss = task.mean_loss((USERS, HISTORY, ITEMS[:, :1]))
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in task.net.named_parameters()}


def looped_bpr(swapped: bool = False) -> Tensors:
    """Rendle et al., 4.3.1: the derivatives of -ln sigmoid(x_ui - x_uj) + penalty / 2 (...), triple by triple."""
    w = {name: p.detach().numpy() for name, p in bpr_mf().net.named_parameters()}
    grad = {name: np.zeros_like(value) for name, value in w.items()}
    loss, penalty, n = 0.0, 0.3, len(USERS)
    for u, i, j in zip(USERS.tolist(), ITEMS[:, 0].tolist(), DRAWN[:, 0].tolist(), strict=True):
        i, j = (j, i) if swapped else (i, j)
        p, q, r = w["user.weight"][u], w["item.weight"][i], w["item.weight"][j]
        x = float(p @ (q - r)) + w["bias.weight"][i, 0] - w["bias.weight"][j, 0]
        loss += (np.log1p(np.exp(-x)) + penalty / 2 * float(p @ p + q @ q + r @ r)) / n
        push = -1 / (1 + np.exp(x)) / n  # the derivative of the loss by x
        grad["user.weight"][u] += push * (q - r) + penalty * p / n
        grad["item.weight"][i] += push * p + penalty * q / n
        grad["item.weight"][j] += -push * p + penalty * r / n
        grad["bias.weight"][i, 0] += push
        grad["bias.weight"][j, 0] -= push
    found = {f"grad {name}": torch.from_numpy(value) for name, value in grad.items()}
    return {"loss": torch.tensor(loss, dtype=torch.float64)} | found


# -- AutoRec --------------------------------------------------------------------------------------------------------


def autorec() -> Any:
    return randomized(LitAutoRec(num_users=U, hidden_size=4, dropout=0.0))


def ratings() -> Tensor:
    """Ratings of the items by all users (I, U), NaN where there is none."""
    found = torch.full((I, U), torch.nan, dtype=torch.float64)
    found[PAIRS[:, 1], PAIRS[:, 0]] = STARS
    return found


def our_autorec() -> Tensors:
    task = autorec().train()
    error, count = task.errors((ratings(), ratings()))
    loss = error.square().sum() / 2 / count
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in task.net.named_parameters()}


def looped_autorec(every_cell: bool = False) -> Tensors:
    """Sedhain et al., equations 1 and 2, item by item; ``every_cell``: the book's mean over all cells."""
    w = {name: p.detach().clone().requires_grad_() for name, p in autorec().net.named_parameters()}
    loss = torch.zeros((), dtype=torch.float64)
    for item in range(I):
        mine = [(u, y) for (u, i), y in zip(HAS, STARS.tolist(), strict=True) if i == item]
        hidden = w["encoder.bias"] + sum((w["encoder.weight"][:, u] * (y - w["mean"]) for u, y in mine), torch.zeros(4))
        for u, y in mine:
            out = w["mean"][0] + w["decoder.weight"][u] @ (1 / (1 + (-hidden).exp())) + w["decoder.bias"][u]
            loss = loss + (out - y).square() / 2
    loss = loss / (U * I if every_cell else len(HAS))
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in w.items() if p.grad is not None}


# -- closed forms ---------------------------------------------------------------------------------------------------


def random_matrix() -> np.ndarray:
    """Who of 40 users has what, without two equal cosines."""
    return (np.random.default_rng(0).random((40, I)) < np.linspace(0.2, 0.7, I)).astype(float)


def our_neighbors() -> Tensors:
    net, pairs = ItemItem(I).double(), np.argwhere(random_matrix())
    with torch.no_grad():
        counts = gram(torch.from_numpy(pairs[:, 0] * I + pairs[:, 1]), 40, I)
        net.weight.copy_(cosine_neighbors(counts, neighbors=4))
    return {"weights": net.weights().detach(), "scores": net(USERS, HISTORY).detach()}


def sklearn_neighbors(rows: bool = False) -> Tensors:
    """scikit-learn's cosines; the four largest of each column, or ``rows``: of each row."""
    cosine = cosine_similarity(random_matrix().T)
    np.fill_diagonal(cosine, 0)
    kept = np.zeros_like(cosine)
    for item in range(I):
        best = np.argsort(-(cosine[item] if rows else cosine[:, item]), kind="stable")[:4]
        where = (item, best) if rows else (best, item)
        kept[where] = cosine[where]
    scores = [sum(kept[i] for i in sorted({*history} - {I})) for history in HISTORY.tolist()]
    return {"weights": torch.from_numpy(kept), "scores": torch.from_numpy(np.stack(scores))}


def our_popularity() -> Tensors:
    """Where one step of rate 1 leads from zero, on the counts of a datamodule."""
    task: Any = LitPopularity(num_users=U, num_items=I).double()
    task.data_attribute = lambda name, default=None: {"item_counts": PAIRS[:, 1].bincount(minlength=I)}[name]
    task.mean_loss(()).backward()
    with torch.no_grad():
        task.net.weight.sub_(task.net.weight.grad)
    return {"scores": task.net(USERS, HISTORY, ITEMS).detach(), "weights": task.net.weight.detach()}


def counted_popularity(of_ratings: bool = False) -> Tensors:
    """The fraction of users who have an item; ``of_ratings``: the fraction of all pairs that are the item's."""
    weights = torch.from_numpy(matrix().sum(0) / (len(HAS) if of_ratings else U))
    return {"scores": weights[ITEMS], "weights": weights}


CLOSED = "gradients: the solution is in closed form"
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
    Check(
        "recommender/bpr_mf",
        "a step of BPR-MF: loss and gradients against the derivatives of the paper, triple by triple",
        "numpy",
        our_bpr,
        looped_bpr,
        partial(looped_bpr, swapped=True),
        "the negative above the positive",
    ),
    Check(
        "recommender/autorec",
        "AutoRec: loss and gradients over the ratings that are there, item by item",
        "torch",
        our_autorec,
        looped_autorec,
        partial(looped_autorec, every_cell=True),
        "the mean over all cells, as in the book",
    ),
    Check(
        "recommender/item_knn",
        "item neighborhoods against scikit-learn's cosines, sorted",
        "scikit-learn",
        our_neighbors,
        sklearn_neighbors,
        partial(sklearn_neighbors, rows=True),
        "the neighbors of the wrong side",
        without=CLOSED,
    ),
    Check(
        "recommender/popularity",
        "where popularity's one step leads, against counting",
        "numpy",
        our_popularity,
        counted_popularity,
        partial(counted_popularity, of_ratings=True),
        "a fraction of the pairs in the place of one of the users",
        without=CLOSED,
    ),
]
