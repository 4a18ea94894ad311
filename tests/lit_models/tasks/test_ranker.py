"""The ranking task: metrics over batches, what it logs, negatives."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.ratings.planted_films import PlantedFilms
from lit_models.recommender.bpr_mf import LitBPRMF
from lit_models.tasks.ranker import RankingMetrics
from tests.battery import ADAM
from tests.small import small_trainer


def test_metrics_do_not_depend_on_the_batches() -> None:
    torch.manual_seed(0)
    scores, targets = torch.rand(9, 20), torch.randint(20, (9, 1))
    left, popularity = torch.rand(9, 20) < 0.9, torch.rand(20).double()
    whole, parts = RankingMetrics(20), RankingMetrics(20)
    whole.update(scores, targets, left, popularity)
    for rows in torch.arange(9).split(4):
        parts.update(scores[rows], targets[rows], left[rows], popularity)
    for name, value in whole.compute().items():
        torch.testing.assert_close(parts.compute()[name], value)


def test_coverage_and_popularity_of_a_ranking_that_is_the_same_for_all() -> None:
    metrics = RankingMetrics(40)
    scores = torch.arange(40.0).expand(3, -1)
    metrics.update(scores, torch.tensor([[0]] * 3), torch.ones(3, 40, dtype=torch.bool), torch.arange(40) / 40.0)
    found = metrics.compute()
    assert float(found["coverage@10"]) == 0.25
    assert float(found["popularity@10"]) == pytest.approx(sum(range(30, 40)) / 400)


def test_items_that_a_user_has_are_not_counted_where_fewer_than_ten_are_left() -> None:
    metrics = RankingMetrics(8)
    left = torch.zeros(1, 8, dtype=torch.bool)
    left[0, :2] = True
    metrics.update(torch.rand(1, 8), torch.tensor([[0]]), left, torch.tensor([0.2, 0.4, *[1.0] * 6]))
    found = metrics.compute()
    assert float(found["coverage@10"]) == 0.25 and float(found["popularity@10"]) == pytest.approx(0.3)


@pytest.mark.parametrize("loss", ["bpr", "hinge", "softmax", "bce"])
def test_each_loss_trains_and_validation_loss_is_one_minus_ndcg(loss: str, tmp_path: Path) -> None:
    data = PlantedFilms(30, 25, 6, 9)
    model = LitBPRMF(num_users=30, num_items=25, loss=loss, num_negatives=2, penalty=0.01, optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, datamodule=data)
    found = trainer.callback_metrics
    assert float(found["val/loss"]) == pytest.approx(1 - float(found["val/ndcg@10"]))
    assert torch.isfinite(found["train/loss"])


def test_negatives_are_never_training_items_of_the_user(tmp_path: Path) -> None:
    data = PlantedFilms(30, 25, 6, 9)
    model = LitBPRMF(num_users=30, num_items=25, optimizer=ADAM)
    small_trainer(tmp_path, max_epochs=1, limit_train_batches=1).fit(model, datamodule=data)
    users = torch.arange(30).repeat_interleave(20)
    keys = users[:, None] * 25 + model.negatives(users, 5)
    assert not set(keys.flatten().tolist()) & set(data.positives.tolist())


def test_no_negatives_is_one_line() -> None:
    with pytest.raises(UserError, match=r"model\.num_negatives is 0"):
        LitBPRMF(num_users=2, num_items=2, num_negatives=0)


def test_rankings_under_bfloat16_are_scored_in_single_precision() -> None:
    model = LitBPRMF(num_users=30, num_items=500)
    model.positives = torch.arange(30) * 500
    users, history = torch.tensor([0, 1, 30]), torch.tensor([[1], [2], [3]])
    known = model.scores(users, history)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model.scores(users, history), known, rtol=0, atol=0)
        assert model.mean_loss((users[:2], history[:2], torch.tensor([[4], [5]]))).dtype == torch.float32
