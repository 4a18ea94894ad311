"""Recommenders against plain loops, implicit, scikit-learn and torch.nn: losses, gradients, sweeps, metrics."""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lit_models.functional.ranking import rank_targets, ranking_metrics
from lit_models.recommender.als import LitALS
from lit_models.recommender.deepfm import DeepFM
from lit_models.recommender.ease import ease_weights
from lit_models.recommender.fm import FM
from lit_models.recommender.mf import LitMF
from lit_models.recommender.sasrec import SASRec
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


# -- factorization machines -----------------------------------------------------------------------------------------

CLICKS = torch.tensor([[0, 4, 9], [1, 5, 9], [0, 6, 8], [3, 4, 7]])
CLICKED = [1.0, 0.0, 0.0, 1.0]


def machine(deep: bool) -> Any:
    return randomized(DeepFM(10, 3, 2, (4,), 0.0) if deep else FM(10, 2))


def our_fm(deep: bool) -> Tensors:
    net = machine(deep)
    loss = nn.functional.binary_cross_entropy_with_logits(net(CLICKS), torch.tensor(CLICKED, dtype=torch.float64))
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in net.named_parameters()}


def looped_fm(deep: bool, twice: bool = False) -> Tensors:
    """One impression and one pair of fields at a time; ``twice``: a sigmoid in the network and one in the loss."""
    w = {name: p.detach().clone().requires_grad_() for name, p in machine(deep).named_parameters()}
    loss = torch.zeros((), dtype=torch.float64)
    for row, y in zip(CLICKS.tolist(), CLICKED, strict=True):
        logit = w["bias"][0] + sum(w["weight.weight"][value, 0] for value in row)
        for f in range(len(row)):
            for g in range(f):
                logit = logit + sum(w["vector.weight"][row[f], k] * w["vector.weight"][row[g], k] for k in range(2))
        if deep:
            hidden = torch.cat([w["vector.weight"][value] for value in row])
            hidden = (w["mlp.0.weight"] @ hidden + w["mlp.0.bias"]).clamp(min=0)
            logit = logit + w["mlp.3.weight"][0] @ hidden + w["mlp.3.bias"][0]
        p = torch.sigmoid(torch.sigmoid(logit) if twice else logit)
        loss = loss - (y * p.log() + (1 - y) * (1 - p).log()) / len(CLICKED)
    loss.backward()
    return {"loss": loss.detach()} | {f"grad {name}": p.grad for name, p in w.items() if p.grad is not None}


# -- SASRec ---------------------------------------------------------------------------------------------------------

HISTORY = torch.tensor([[10, 10, 3, 1, 7], [2, 4, 6, 8, 0]])  # ten items, padded


def sasrec() -> Any:
    return randomized(SASRec(10, context=5, hidden_size=8, num_layers=1, num_heads=2, dropout=0.0)).eval()


def our_sasrec() -> Tensors:
    net = sasrec()
    scores = net(torch.zeros(2, dtype=torch.long), HISTORY)
    scores.square().sum().backward()
    return {"scores": scores.detach(), "grad items": net.item.weight.grad[:10]}


def torch_sasrec(masked: bool = True) -> Tensors:
    """The same weights in torch.nn's encoder layer."""
    net = sasrec()
    ours = net.layers[0]
    layer = nn.TransformerEncoderLayer(8, 2, 8, 0.0, "relu", batch_first=True, norm_first=True).double()
    with torch.no_grad():
        pairs = (
            (layer.self_attn.in_proj_weight, ours.attention.qkv.weight),
            (layer.self_attn.in_proj_bias, ours.attention.qkv.bias),
            (layer.self_attn.out_proj.weight, ours.attention.output.weight),
            (layer.self_attn.out_proj.bias, ours.attention.output.bias),
            (layer.linear1.weight, ours.feed_forward.inner.weight),
            (layer.linear1.bias, ours.feed_forward.inner.bias),
            (layer.linear2.weight, ours.feed_forward.outer.weight),
            (layer.linear2.bias, ours.feed_forward.outer.bias),
            (layer.norm1.weight, ours.attention_norm.weight),
            (layer.norm1.bias, ours.attention_norm.bias),
            (layer.norm2.weight, ours.feed_forward_norm.weight),
            (layer.norm2.bias, ours.feed_forward_norm.bias),
        )
        for theirs, mine in pairs:
            theirs.copy_(mine)
    table = net.item.weight.detach().clone().requires_grad_()
    length = HISTORY.shape[1]
    x = nn.functional.embedding(HISTORY, table) + net.place
    mask = torch.ones(length, length, dtype=torch.bool).triu(1).expand(2, -1, -1)  # True: not attended to
    if masked:
        mask = mask | ((HISTORY == 10)[:, None] & ~torch.eye(length, dtype=torch.bool))
    states = net.norm(layer(x, src_mask=mask.repeat_interleave(2, 0)))
    scores = states[:, -1] @ table[:10].T
    scores.square().sum().backward()
    return {"scores": scores.detach(), "grad items": table.grad[:10]}  # type: ignore[index]


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
    Check(
        "recommender/sasrec",
        "SASRec's scores and gradients against torch.nn.TransformerEncoderLayer with the same weights",
        "torch",
        our_sasrec,
        torch_sasrec,
        lambda: torch_sasrec(False),
        "padding is attended to",
    ),
    Check(
        "recommender/fm",
        "a factorization machine's loss and gradients against a loop over pairs of fields",
        "torch",
        partial(our_fm, False),
        partial(looped_fm, False),
        partial(looped_fm, False, True),
        "two sigmoids, as in the book",
    ),
    Check(
        "recommender/deepfm",
        "DeepFM's loss and gradients against a loop over pairs of fields and its network by hand",
        "torch",
        partial(our_fm, True),
        partial(looped_fm, True),
        partial(looped_fm, True, True),
        "two sigmoids, as in the book",
    ),
]
