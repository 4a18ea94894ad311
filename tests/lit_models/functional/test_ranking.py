"""Ranking metrics: RecBole's and implicit's numbers, ties, masks, and a plain loop."""

import math

import pytest
import torch
from torch import Tensor

from lit_models.functional.ranking import (
    interaction_matrix,
    multi_hot,
    neighbors_scores,
    rank_targets,
    ranking_metrics,
    top_items,
    unseen,
)


def means(ranks: list[list[int]], k: int) -> dict[str, float]:
    return {name: float(value.mean()) for name, value in ranking_metrics(torch.tensor(ranks), (k,)).items()}


def test_numbers_of_recbole() -> None:
    """RecBole 1.2.1's metrics of hits [1, 0, 1] of 3 targets, [0, 1, 0] of 1 and [0, 0, 0] of 2 at k = 3."""
    found = means([[1, 3, 9], [2, 0, 0], [5, 7, 0]], 3)
    expected = {"ndcg@3": 0.444949, "recall@3": 0.555556, "mrr@3": 0.5, "map@3": 0.351852, "hit@3": 0.666667}
    assert {name: round(found[name], 6) for name in expected} == expected


def test_numbers_of_implicit() -> None:
    """implicit 0.7.3 of one target that is second, K = 3; its precision divides by min(K, targets)."""
    found = means([[2]], 3)
    assert found["map@3"] == 0.5 and found["ndcg@3"] == pytest.approx(0.6309, abs=5e-5)
    assert found["precision@3"] == pytest.approx(1 / 3) and found["recall@3"] == 1.0


def looped_rank(scores: list[float], wanted: list[int], left: list[bool]) -> tuple[list[int], float]:
    """Ranks and AUC one pair at a time."""
    ranks, pairs, right = [], 0, 0.0
    for item in wanted:
        worse_or_equal = [j for j in range(len(scores)) if j not in wanted and left[j] and scores[j] >= scores[item]]
        before = [j for j in wanted if j != item and scores[j] > scores[item]]
        ranks.append(1 + len(worse_or_equal) + len(before))
        for j in range(len(scores)):
            if left[j] and j not in wanted:
                pairs += 1
                right += 1.0 if scores[item] > scores[j] else 0.5 if scores[item] == scores[j] else 0.0
    return sorted(ranks), right / pairs


def test_ranks_and_auc_are_those_of_a_plain_loop() -> None:
    torch.manual_seed(1)
    scores = torch.randint(0, 12, (6, 15)).float()
    scores[:, :4] += torch.tensor([0.1, 0.2, 0.3, 0.4])  # targets differ from one another, others may tie
    targets = torch.tensor([[0, 1, 15], [2, 15, 15], [3, 1, 0], [1, 2, 3], [0, 15, 15], [2, 0, 15]])
    left = torch.rand(6, 15) < 0.8
    ranks, auc = rank_targets(scores, targets, left)
    for b in range(6):
        wanted = [t for t in targets[b].tolist() if t < 15]
        expected, area = looped_rank(scores[b].tolist(), wanted, left[b].tolist())
        assert ranks[b][: len(wanted)].tolist() == expected and not ranks[b][len(wanted) :].any()
        assert float(auc[b]) == pytest.approx(area)


def test_equal_and_missing_scores_reach_nothing() -> None:
    left = torch.ones(1, 50, dtype=torch.bool)
    for value in (0.0, math.nan):
        ranks, _ = rank_targets(torch.full((1, 50), value), torch.tensor([[7]]), left)
        assert ranks.tolist() == [[50]]


def test_seen_items_are_no_candidates() -> None:
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    history = torch.tensor([[5, 0, 1]])  # padded with 5
    left = unseen(history, 5)
    assert left.tolist() == [[False, False, True, True, True]]
    assert rank_targets(scores, torch.tensor([[3]]), left)[0].tolist() == [[2]]
    assert multi_hot(history, 5).tolist() == [[1, 1, 0, 0, 0]]


def test_two_targets_that_tie_share_two_ranks() -> None:
    ranks, _ = rank_targets(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0, 1]]), torch.ones(1, 3, dtype=torch.bool))
    assert ranks.tolist() == [[1, 2]]


def test_best_order_has_all_metrics_one() -> None:
    found = means([[1, 2, 3]], 3)
    assert all(value == pytest.approx(1.0) for value in found.values())


def test_a_new_user_gets_the_scores_of_the_most_similar_ones() -> None:
    positives = torch.tensor([0, 1, 6, 7])  # of four items: user 0 has 0 and 1, user 1 has 2 and 3

    def score(users: Tensor) -> Tensor:
        return torch.tensor([[1.0, 2.0, 3.0, 4.0], [40.0, 30.0, 20.0, 10.0]])[users]

    found = neighbors_scores(score, torch.tensor([[4, 0]]), positives, 2, 4)
    torch.testing.assert_close(found, torch.tensor([[1.0, 2.0, 3.0, 4.0]]), atol=1e-3, rtol=0)
    assert interaction_matrix(positives, 2, 4).to_dense().tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]


def test_top_items_leave_out_what_is_masked() -> None:
    (found,) = top_items(torch.tensor([[1.0, -torch.inf, 3.0]]), 5)
    assert found["items"].tolist() == [2, 0] and found["scores"].tolist() == [3.0, 1.0]
