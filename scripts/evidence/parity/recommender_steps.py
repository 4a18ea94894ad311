"""Steps and closed forms of recommenders, against the published formulas: BPR-MF, AutoRec, item neighborhoods,
popularity.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import Tensor

from lit_models.recommender.autorec import LitAutoRec
from lit_models.recommender.bpr_mf import LitBPRMF
from lit_models.recommender.item_knn import ItemItem, cosine_neighbors, gram
from lit_models.recommender.popularity import LitPopularity
from scripts.evidence.parity.recommender import HAS, PAIRS, STARS, E, I, U, matrix, randomized
from scripts.evidence.parity.recommender_ranking import HISTORY, ITEMS, USERS
from scripts.evidence.verify import Check, Tensors

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
