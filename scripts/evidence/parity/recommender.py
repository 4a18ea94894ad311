"""Recommenders against plain loops, implicit and scikit-learn: losses, gradients, sweeps, metrics."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lit_models.functional.ranking import rank_targets, ranking_metrics
from lit_models.recommender.als import LitALS
from lit_models.recommender.ease import ease_weights
from lit_models.recommender.mf import LitMF
from scripts.evidence.verify import Check, Tensors

U, I, E = 9, 12, 4  # noqa: E741  items
HAS = [(u, i) for u in range(U) for i in range(I) if (u * 5 + i * 7 + u * i) % 4 == 0]
PAIRS = torch.tensor(HAS)
STARS = torch.tensor([1.0 + (u + 2 * i) % 5 for u, i in HAS], dtype=torch.float64)


def randomized(module: Any) -> Any:
    torch.manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.6)
    return module.double()


# -- matrix factorization -------------------------------------------------------------------------------------------


def mf() -> Any:
    return randomized(LitMF(num_users=U, num_items=I, embed_size=E, penalty=0.3))


def our_mf() -> Tensors:
    task = mf()
    loss = task.loss(task.net.train()(PAIRS), STARS) + task.penalty / 2 * task.net.squares(PAIRS)
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in task.net.named_parameters()}


def looped_mf(mistake: str = "") -> Tensors:
    """One rating at a time, with the derivatives of Koren et al., equation 4."""
    w = {name: p.detach().numpy() for name, p in mf().net.named_parameters()}
    grad = {name: np.zeros_like(value) for name, value in w.items()}
    loss, n, penalty = 0.0, len(HAS), 0.3
    for (u, i), y in zip(HAS, STARS.tolist(), strict=True):
        p, q = w["user.weight"][u], w["item.weight"][i]
        b, c = w["user_bias.weight"][u, 0], w["item_bias.weight"][i, 0]
        error = (0.0 if mistake else w["mean"][0]) + b + c + float(p @ q) - y
        loss += (error**2 / 2 + penalty / 2 * (float(p @ p) + float(q @ q) + b**2 + c**2)) / n
        grad["mean"][0] += error / n
        grad["user_bias.weight"][u, 0] += (error + penalty * b) / n
        grad["item_bias.weight"][i, 0] += (error + penalty * c) / n
        grad["user.weight"][u] += (error * q + penalty * p) / n
        grad["item.weight"][i] += (error * p + penalty * q) / n
    found = {f"grad {name}": torch.from_numpy(value) for name, value in grad.items()}
    return {"loss": torch.tensor(loss, dtype=torch.float64)} | found


# -- ALS ------------------------------------------------------------------------------------------------------------


def first_items() -> Tensor:
    torch.manual_seed(5)
    return torch.randn(I, E, dtype=torch.float64)


def our_als() -> Tensors:
    model = LitALS(num_users=U, num_items=I, embed_size=E, confidence=7.0, ridge=0.4)
    model.positives = PAIRS[:, 0] * I + PAIRS[:, 1]
    users, items = model.sweep(first_items())
    return {"users": users, "items": items}


def implicit_als(alpha: float) -> Tensors:
    """An exact iteration of implicit from the same item factors."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    other = AlternatingLeastSquares(
        factors=E, regularization=0.4, alpha=alpha, dtype=np.float64, use_native=True, use_cg=False, iterations=1,
        num_threads=1,
    )  # fmt: skip
    other.user_factors, other.item_factors = np.zeros((U, E)), first_items().numpy().copy()
    rows = csr_matrix((np.ones(len(HAS)), tuple(zip(*HAS, strict=True))), shape=(U, I))
    other.fit(rows, show_progress=False)
    return {"users": torch.from_numpy(other.user_factors), "items": torch.from_numpy(other.item_factors)}


# -- EASE -----------------------------------------------------------------------------------------------------------


def matrix() -> np.ndarray:
    x = np.zeros((U, I))
    x[tuple(zip(*HAS, strict=True))] = 1.0
    return x


def our_ease() -> Tensors:
    x = torch.from_numpy(matrix())
    return {"weights": ease_weights(x.T @ x, 0.7)}


def ridge_ease(itself: bool = False) -> Tensors:
    """A ridge regression of each item on the others (scikit-learn)."""
    from sklearn.linear_model import Ridge

    x, weights = matrix(), np.zeros((I, I))
    for item in range(I):
        others = [k for k in range(I) if itself or k != item]
        fit = Ridge(alpha=0.7, fit_intercept=False, solver="cholesky").fit(x[:, others], x[:, item])
        weights[others, item] = fit.coef_
    return {"weights": torch.from_numpy(weights)}


# -- metrics --------------------------------------------------------------------------------------------------------


def scored() -> tuple[Tensor, Tensor]:
    torch.manual_seed(8)
    return torch.rand(6, 40, dtype=torch.float64), torch.tensor([[0, 7], [3, 40], [9, 1], [5, 40], [30, 31], [2, 40]])


def our_metrics() -> Tensors:
    scores, targets = scored()
    ranks, auc = rank_targets(scores, targets, torch.ones(6, 40, dtype=torch.bool))
    found = ranking_metrics(ranks, (5,))
    return {"ndcg@5": found["ndcg@5"], "map@40": ranking_metrics(ranks, (40,))["map@40"], "auc": auc}


def sklearn_metrics(mistake: bool = False) -> Tensors:
    from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

    scores, targets = (t.numpy() for t in scored())
    found: dict[str, list[float]] = {"ndcg@5": [], "map@40": [], "auc": []}
    for row, wanted in zip(scores, targets, strict=True):
        relevant = np.zeros(40)
        relevant[wanted[wanted < 40]] = 1
        best = 1.0 if mistake else 1 / math.log2(2) + (relevant.sum() > 1) / math.log2(3)
        dcg = sum(relevant[item] / math.log2(place + 2) for place, item in enumerate((-row).argsort()[:5]))
        found["ndcg@5"].append(dcg / best if mistake else float(ndcg_score([relevant], [row], k=5)))
        found["map@40"].append(float(average_precision_score(relevant, row)))
        found["auc"].append(float(roc_auc_score(relevant, row)))
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}


CHECKS = [
    Check(
        "recommender/mf",
        "matrix factorization with biases: loss and gradients against a loop over ratings",
        "numpy",
        our_mf,
        looped_mf,
        lambda: looped_mf("no mean"),
        "no mean of the ratings, as in the book",
    ),
    Check(
        "recommender/als",
        "a sweep of implicit ALS against implicit's exact solver from the same item factors",
        "implicit",
        our_als,
        lambda: implicit_als(7.0),
        lambda: implicit_als(8.0),
        "confidence 1 + alpha in place of alpha",
        without="gradients: the solution is in closed form",
    ),
    Check(
        "recommender/ease",
        "EASE against a ridge regression of each item on all others",
        "scikit-learn",
        our_ease,
        ridge_ease,
        lambda: ridge_ease(True),
        "an item predicts itself",
        without="gradients: the solution is in closed form",
    ),
    Check(
        "recommender/metrics",
        "NDCG, average precision and AUC of a full ranking against scikit-learn's",
        "scikit-learn",
        our_metrics,
        sklearn_metrics,
        lambda: sklearn_metrics(True),
        "DCG that is not divided by the best order's",
        without="gradients: ranks have none",
    ),
]
