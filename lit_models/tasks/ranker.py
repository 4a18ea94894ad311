"""Ranking items for users. Batch: ``(users, history, targets)``, see ``datamodules/ratings/ratings.py``.

users (B,); history (B, L), the items that a user is known to have, oldest first; targets (B, K), items to be ranked
high. Padding is the number ``num_items``. A network maps ``(users, history, items (B, K))`` to scores (B, K), and
without ``items`` to the scores of all items (B, I): the full ranking, whole batches at once. What a user has is never a
candidate.

A user whose number is ``num_users`` or more was not there in training. A network with ``by_history = True`` needs no
vector of a user; for others the scores are those of the known users with the most similar histories (fold-in).
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from common.messages import UserError
from lit_models.functional.ranking import neighbors_scores, rank_targets, ranking_metrics, top_items, unseen
from lit_models.functional.ranking_losses import Loss, draw_negatives, ranking_loss
from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.tasks.task import Task

TOP = 10  # of coverage and popularity


class RankingMetrics(Metric):
    """Means over users of the metrics of ``lit_models/functional/ranking.py``; coverage and popularity.

    ``coverage@10`` is the fraction of all items that anybody gets; ``popularity@10`` the mean fraction of users who
    have an item that is recommended (Yin et al. 2012).

    Args:
        num_items: I.
        cutoffs: k of each metric.
    """

    names: list[str]
    sums: Tensor
    count: Tensor
    shown: Tensor
    popular: Tensor
    first: Tensor

    def __init__(self, num_items: int, cutoffs: tuple[int, ...] = (10, 50)) -> None:
        super().__init__()
        self.cutoffs = cutoffs
        self.names = [*ranking_metrics(torch.ones(1, 1, dtype=torch.long), cutoffs), "auc"]
        self.add_state("sums", torch.zeros(len(self.names), dtype=torch.float64), "sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), "sum")
        self.add_state("shown", torch.zeros(num_items, dtype=torch.float64), "sum")
        self.add_state("first", torch.zeros(num_items + 1, dtype=torch.float64), "sum")  # ranks of each first target
        self.last: dict[str, Tensor] = {}  # over all processes, for the picture
        self.add_state("popular", torch.zeros((), dtype=torch.float64), "sum")

    def update(self, scores: Tensor, targets: Tensor, left: Tensor, popularity: Tensor | None = None) -> None:
        """Adds users with scores (B, I), targets (B, K), candidates (B, I), and the fraction of users of items (I,)."""
        ranks, auc = rank_targets(scores, targets, left)
        found = [*ranking_metrics(ranks, self.cutoffs).values(), auc.nan_to_num(0.5)]
        self.sums += torch.stack([value.sum() for value in found]).to(self.sums)
        self.count += len(scores)
        self.first += ranks[:, 0].bincount(minlength=len(self.first)).to(self.first)
        best = scores.masked_fill(~left, -torch.inf).topk(min(TOP, scores.shape[1]), 1).indices
        real = left.gather(1, best)  # a user may have fewer candidates
        if popularity is not None:
            self.popular += ((popularity[best] * real).sum(1) / real.sum(1).clamp(min=1)).sum()
        self.shown += best[real].bincount(minlength=len(self.shown)).to(self.shown)

    def compute(self) -> dict[str, Tensor]:
        """All means, and the coverage."""
        means = (self.sums / self.count).float()
        self.last = {"first": self.first.clone(), "shown": self.shown.clone()}
        covered, popular = (self.shown > 0).float().mean(), (self.popular / self.count).float()
        return dict(zip(self.names, means, strict=True)) | {f"coverage@{TOP}": covered, f"popularity@{TOP}": popular}


class Ranker(Task):
    """Trains ``self.net`` to score a user's items above others that are drawn for each step.

    Logs ``train/loss``; of all unseen items ``val/ndcg@10``, ``val/hit@10`` and ``val/loss``, which is 1 - NDCG@10:
    what is trained is no measure of a ranking, so the best epoch is that of the best NDCG. Of the test all of
    ``RankingMetrics``.

    Args:
        num_users, num_items: Sizes of the tables.
        loss: ``bpr``, ``hinge``, ``softmax`` or ``bce`` (``lit_models/functional/ranking_losses.py``).
        num_negatives: Items that a target is compared with.
        penalty: Weight of the mean squared length of the batch's vectors, if the network has ``squares``.
        **task: See ``Task``.
    """

    output_means = "Scores of all items; the best unseen ones are to be recommended."

    def __init__(
        self,
        num_users: int,
        num_items: int,
        loss: Loss = "bpr",
        num_negatives: int = 1,
        penalty: float = 0.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if num_negatives < 1:
            raise UserError(f"model.num_negatives is {num_negatives}: give a whole number of at least 1")
        self.num_users, self.num_items = num_users, num_items
        self.loss, self.num_negatives, self.penalty = loss, num_negatives, penalty
        self.positives = torch.zeros(0, dtype=torch.long)  # who has what in training
        self.val_ranking, self.test_ranking = RankingMetrics(num_items, (10,)), RankingMetrics(num_items)
        self.example_input = (torch.zeros(1, dtype=torch.long), torch.zeros(1, 1, dtype=torch.long))

    def setup(self, stage: str) -> None:
        """Takes what users have in training; afterwards it is in the checkpoint, for new users (``fold_in``)."""
        found: Tensor | None = self.data_attribute("positives")
        if found is not None and (stage == "fit" or not len(self.positives)):
            self.positives = found

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["positives"] = self.positives

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.positives = checkpoint.get("positives", self.positives)

    def mean_loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """The loss of a training batch; targets have no padding here."""
        users, history, targets = batch
        negatives = self.negatives(users, self.num_negatives)
        scores = at_least_float32(self.net(users, history, torch.cat([targets, negatives], 1)))
        loss = ranking_loss(self.loss, scores[:, :1], scores[:, 1:]).mean()
        if self.penalty:
            loss = loss + self.penalty * self.net.squares(users, torch.cat([targets, negatives], 1))  # type: ignore[operator]
        return loss

    def negatives(self, users: Tensor, count: int) -> Tensor:
        """Items (B, count) that the users (B,) do not have."""
        return draw_negatives(users, count, self.num_items, self.known())

    def known(self) -> Tensor:
        """user * num_items + item of the training pairs (N,), sorted, on the device."""
        if self.positives.device != self.device:
            self.positives = self.positives.to(self.device)
        return self.positives

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss = self.mean_loss(batch)
        self.record_train_loss(loss, len(batch[0]))
        return loss

    # -- full ranking -------------------------------------------------------------------------------------------------

    def scores(self, users: Tensor, history: Tensor) -> Tensor:
        """Scores (B, I) of all items, of unknown users too; in bfloat16 many items would have the same score."""
        known = users < self.num_users
        with full_precision(users):
            if getattr(self.net, "by_history", False) or bool(known.all()):
                return self.net(users, history).float()
            scores = self.net(users.clamp(max=self.num_users - 1), history).float()
            scores[~known] = self.fold_in(history[~known])
        return scores

    def fold_in(self, history: Tensor) -> Tensor:
        """Scores (B, I) of unknown users by their histories (B, L)."""

        def score(users: Tensor) -> Tensor:
            return self.net(users, users.new_empty(len(users), 0)).float()

        return neighbors_scores(score, history, self.known(), self.num_users, self.num_items)

    def _evaluate(self, batch: tuple[Tensor, ...], metrics: RankingMetrics) -> Tensor:
        users, history, targets = batch
        scores = self.scores(users, history)
        counts: Tensor | None = self.data_attribute("item_counts")
        popularity = None if counts is None else counts.to(scores.device).double() / self.num_users
        metrics.update(scores, targets, unseen(history, self.num_items), popularity)
        return scores

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self._evaluate(batch, self.val_ranking)

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``, of the last validation: hit rate by k, and who is recommended how often."""
        last, counts = self.val_ranking.last, self.data_attribute("item_counts")
        if not last or counts is None:
            return []
        k = torch.arange(1, min(50, self.num_items) + 1)
        hits = last["first"][1:].cumsum(0).cpu()[k - 1] / last["first"].sum().cpu()
        rate = counts.cpu() / self.num_users
        lines = {"this model": (k, hits), "random order": (k, k / self.num_items)}
        points = {"an item": (rate, last["shown"].cpu() / last["first"].sum().cpu())}
        return [
            {"title": "hit rate of the first k", "xlabel": "k", "lines": lines},
            {"title": "fraction who get an item in their ten", "xlabel": "fraction who have it", "points": points},
        ]

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self._evaluate(batch, self.test_ranking)

    def on_validation_epoch_end(self) -> None:
        found = self.val_ranking.compute()
        self.val_ranking.reset()
        self.log("val/loss", 1 - found["ndcg@10"], sync_dist=True)
        self.log("val/hit@10", found["hit@10"], sync_dist=True)
        self.log("val/ndcg@10", found["ndcg@10"], prog_bar=True, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        found = self.test_ranking.compute()
        self.test_ranking.reset()
        self.log_dict({f"test/{name}": value for name, value in found.items()}, sync_dist=True)

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> list[dict[str, Tensor]]:
        """The best unseen ``items`` (k,) of each user with their ``scores`` (k,); k is the datamodule's ``top``."""
        users, history = batch[:2]
        scores = self.scores(users, history).masked_fill(~unseen(history, self.num_items), -torch.inf)
        return top_items(scores, self.data_attribute("top", TOP))
