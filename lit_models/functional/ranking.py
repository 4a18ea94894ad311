"""How good a ranking is: hit rate, recall, NDCG, reciprocal rank, average precision and AUC, from the ranks of targets.

Conventions, those of RecBole (``recbole.evaluator.metrics``) unless it says otherwise:

- All items are ranked that the user has not seen; a target's rank counts from 1.
- An item with the same score as a target comes before it (a tie counts against the model): scores that are all equal
  reach nothing. ``topk`` would leave ties to chance.
- hit@k is 1 if a target is among the first k; recall@k is the fraction of the targets there; precision@k divides by k.
- NDCG@k has gain 1 and discount 1 / log2(rank + 1), divided by that of the best order of min(k, targets) hits.
- MRR@k is 1 / (rank of the first hit), 0 if it is behind k.
- MAP@k sums the precision at each hit among the first k, divided by min(k, targets).
- AUC is the fraction of pairs of a target and an unseen item that is none, in the right order; a tie counts a half.

implicit's ``precision@k`` divides by min(k, targets) instead of k; its MAP and NDCG are these.
"""

from collections.abc import Callable

import torch
from torch import Tensor

NEIGHBORS = 20  # known users who speak for an unknown one


def rank_targets(scores: Tensor, targets: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """Ranks of the targets and the fraction of other items behind each.

    Args:
        scores: (B, I).
        targets: Items (B, K), padded with I.
        left: Which items (B, I) are candidates; targets are, even where it says otherwise.

    Returns:
        Ranks (B, K) from 1 in the order of their size, 0 for padding; AUC (B,), NaN without other items.
    """
    rows, count = scores.shape
    scores = scores.masked_fill(scores.isnan(), -torch.inf)  # the last, not the first
    real = targets < count
    inside = targets.clamp(max=count - 1)
    wanted = torch.zeros(rows, count + 1, dtype=torch.bool, device=scores.device)
    wanted = wanted.scatter(1, targets, True)[:, :count]
    own = scores.gather(1, inside).masked_fill(~real, -torch.inf).sort(1, descending=True).values  # (B, K)
    real = torch.arange(targets.shape[1], device=scores.device) < real.sum(1, keepdim=True)
    others = scores.masked_fill(wanted | ~left, -torch.inf)
    size = (left & ~wanted).sum(1)
    ranks, below = torch.zeros_like(targets), torch.zeros(rows, dtype=torch.float64, device=scores.device)
    for k in range(targets.shape[1]):  # a loop over few targets, whole catalogs at once
        score = own[:, k : k + 1]
        before = (others >= score).sum(1).minimum(size)  # where a score is -inf, what is masked is equal
        ties = (others == score).sum(1).minimum(size)
        ranks[:, k] = before + k + 1  # the targets before it are those of larger or equal scores
        below += torch.where(real[:, k], size - before + 0.5 * ties, 0)
    auc = below / (size * real.sum(1))
    return ranks.masked_fill(~real, 0), auc


def ranking_metrics(ranks: Tensor, cutoffs: tuple[int, ...]) -> dict[str, Tensor]:
    """Metrics (B,) float64 of ranks (B, K) in ascending order, 0 for padding, at each cutoff: ``ndcg@10``."""
    real = ranks > 0
    count = real.sum(1)
    found: dict[str, Tensor] = {}
    places = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    discount = 1 / (ranks.clamp(min=1) + 1).double().log2()
    best = (1 / (places + 1).double().log2()).cumsum(0)  # of the first 1, 2 ... hits
    for k in cutoffs:
        hit = real & (ranks <= k)
        at_most = count.clamp(max=k)
        hits = hit.sum(1)
        found[f"hit@{k}"] = hit.any(1).double()
        found[f"recall@{k}"] = hits / count.double()
        found[f"precision@{k}"] = hits / torch.tensor(k, dtype=torch.float64)
        found[f"ndcg@{k}"] = (discount * hit).sum(1) / best[at_most - 1]
        found[f"mrr@{k}"] = (hit / ranks.clamp(min=1).double()).amax(1)
        found[f"map@{k}"] = (hit * places / ranks.clamp(min=1).double()).sum(1) / at_most
    return found


def unseen(history: Tensor, num_items: int) -> Tensor:
    """Which items (B, I) are not in the histories (B, L), padded with I."""
    left = torch.ones(len(history), num_items + 1, dtype=torch.bool, device=history.device)
    return left.scatter_(1, history, False)[:, :num_items]


def multi_hot(history: Tensor, num_items: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """1 for each item of the histories (B, L), padded with I -> (B, I)."""
    rows = torch.zeros(history.shape[0], num_items + 1, dtype=dtype, device=history.device)
    return rows.scatter_(1, history, 1.0)[:, :num_items]


def neighbors_scores(
    score: Callable[[Tensor], Tensor], history: Tensor, positives: Tensor, num_users: int, num_items: int
) -> Tensor:
    """Scores (B, I) of unknown users: the mean of those of the nearest known ones, by the cosine of their histories.

    Args:
        score: Scores (N, I) of known users (N,).
        history: Items (B, L) of the unknown ones, padded with I.
        positives: user * I + item of the known ones (N,), each once.
        num_users, num_items: Sizes.
    """
    theirs = interaction_matrix(positives, num_users, num_items).float()  # sparse: of a large catalog it would not fit
    counts = torch.bincount(positives // num_items, minlength=num_users)
    own = multi_hot(history, num_items)
    near = (theirs @ own.T).T / (own.sum(1, keepdim=True) * counts).sqrt().clamp(min=1)
    weight, user = near.topk(min(NEIGHBORS, num_users), 1)  # (B, n)
    weight = weight + 1e-6  # nobody is near: the mean of some
    total = sum(weight[:, k, None] * score(user[:, k]) for k in range(user.shape[1]))  # one neighbor's scores at a time
    return total / weight.sum(1, keepdim=True)  # type: ignore[operator]


def top_items(scores: Tensor, count: int) -> list[dict[str, Tensor]]:
    """The best ``items`` of each row of scores (B, I) and their ``scores``, the best first; not those of -inf."""
    best = scores.topk(min(count, scores.shape[1]), 1)
    rows = zip(best.values, best.indices, strict=True)
    return [{"items": i[v > -torch.inf], "scores": v[v > -torch.inf]} for v, i in rows]


def interaction_matrix(positives: Tensor, num_users: int, num_items: int) -> Tensor:
    """Who has what as a sparse matrix (U, I) of ones in float64, from user * I + item (N,)."""
    place = torch.stack([positives // num_items, positives % num_items])
    values = torch.ones(len(positives), dtype=torch.float64, device=positives.device)
    return torch.sparse_coo_tensor(place, values, (num_users, num_items), check_invariants=False).coalesce()
