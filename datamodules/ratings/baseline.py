"""What any recommender must beat: a random order and popularity for ranking; means for ratings. In NumPy, by itself."""

from typing import Any

import numpy as np
from torch import Tensor

K = 10  # of hit@10 and NDCG@10


def random_and_popular(data: Any) -> dict[str, dict[str, Any]]:
    """Hit rate and NDCG of the test rows: expected values of a random order, and the items by their training counts.

    Args:
        data: A ``Ratings`` datamodule with its test split. Items of equal counts rank as badly as they can.
    """
    rows, targets = (part.long().numpy() for part in data.splits["test"])
    sequence, counts = data.sequence.cpu().numpy(), data.item_counts.cpu().numpy()
    hits, gains, random_hits, random_gains = [], [], [], []
    discounts = 1 / np.log2(np.arange(2, K + 2))
    for (_, start, end), wanted in zip(rows, targets, strict=True):
        wanted = wanted[wanted < data.num_items]
        left = np.ones(data.num_items, dtype=bool)
        left[sequence[start:end]] = False
        ranks = ranks_by(counts, left, wanted)
        best = discounts[: min(K, len(wanted))].sum()
        hits.append(bool((ranks <= K).any()))
        gains.append(discounts[ranks[ranks <= K] - 1].sum() / best)
        n = int(left.sum())
        random_hits.append(1 - np.prod([max(0.0, 1 - len(wanted) / (n - k)) for k in range(min(K, n))]))
        random_gains.append(len(wanted) / n * discounts[: min(K, n)].sum() / best)
    return {
        "chance": metrics("a random order of the unseen items", random_hits, random_gains),
        "baseline": metrics("the most popular unseen items", hits, gains),
    }


def ranks_by(scores: np.ndarray, left: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The ranks, from 1, of wanted items among those that are left; an equal score of another item comes before."""
    found = np.array([int((scores[left] >= scores[item]).sum()) for item in wanted])
    order = np.argsort(-scores[wanted], kind="stable")
    for place, k in enumerate(order):  # wanted items of one score share its last ranks
        found[k] -= int((scores[wanted[order[place + 1 :]]] == scores[wanted[k]]).sum())
    return found


def metrics(what: str, hits: Any, gains: Any) -> dict[str, Any]:
    return {"what": what, "metrics": {"test/hit@10": float(np.mean(hits)), "test/ndcg@10": float(np.mean(gains))}}


def mean_ratings(
    train: tuple[Tensor, ...], test: tuple[Tensor, ...], num_users: int, num_items: int, damping: float = 5.0
) -> dict[str, dict[str, Any]]:
    """The training mean; and the mean with a deviation for each item, then for each user, damped toward 0.

    Args:
        train, test: Pairs (N, 2) and ratings (N,).
        num_users, num_items: Sizes.
        damping: Ratings of 0 deviation that are added to each mean (Funk 2006).
    """
    (user, item), y = train[0].long().numpy().T, train[1].double().numpy()
    (user_t, item_t), y_t = test[0].long().numpy().T, test[1].double().numpy()
    mean = y.mean()

    def deviations(number: np.ndarray, rest: np.ndarray, size: int) -> np.ndarray:
        return np.bincount(number, rest, size) / (np.bincount(number, minlength=size) + damping)

    of_item = deviations(item, y - mean, num_items)
    of_user = deviations(user, y - mean - of_item[item], num_users)

    def errors(prediction: Any) -> dict[str, float]:
        error = y_t - prediction
        return {"test/rmse": float(np.sqrt(np.mean(error**2))), "test/mae": float(np.mean(np.abs(error)))}

    return {
        "chance": {"what": "the mean of the training ratings", "metrics": errors(mean)},
        "baseline": {
            "what": "the mean with a deviation for each item and user",
            "metrics": errors(mean + of_item[item_t] + of_user[user_t]),
        },
    }
