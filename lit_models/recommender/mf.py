"""Matrix factorization: a rating is a mean, what this person and this film add to it, and how well they fit.

Koren, Bell and Volinsky 2009, "Matrix factorization techniques for recommender systems". D2L 21.3.
Departs from the book: the mean of the ratings is a parameter of its own, predictions are clipped to the scale in
evaluation, the penalty is on the vectors in use, and the error is that of the whole test, not a running mean.

    dive fit recommender/mf             generated ratings, offline
    dive fit recommender/mf_movielens   MovieLens 100K, the published split u1

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError

from lit_models.functional.ranking import neighbors_scores, top_items, unseen
from lit_models.layers.precision import full_precision
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


class MatrixFactorization(nn.Module):
    """mean + b_u + c_i + p_u . q_i of user and item (B, 2) -> (B, 1).

    Args:
        num_users, num_items: Sizes of the tables.
        min_rating, max_rating: The scale, to which predictions are clipped in evaluation.
        embed_size: Length of p and q; 0 leaves the biases.
    """

    gathered_at_once, forward_methods = True, ("squares", "everything")

    def __init__(
        self, num_users: int, num_items: int, min_rating: float = 1.0, max_rating: float = 5.0, embed_size: int = 30
    ) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(num_users, embed_size), nn.Embedding(num_items, embed_size)
        self.user_bias, self.item_bias = nn.Embedding(num_users, 1), nn.Embedding(num_items, 1)
        self.mean = nn.Parameter(torch.full((1,), (min_rating + max_rating) / 2))
        self.scale = (min_rating, max_rating)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)  # torch's 1 begins at an error of 5
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        user, item = pairs.unbind(1)
        fit = (self.user(user) * self.item(item)).sum(1, keepdim=True)
        rating = self.mean + self.user_bias(user) + self.item_bias(item) + fit
        return rating if self.training else rating.clamp(*self.scale)

    def everything(self, users: Tensor) -> Tensor:
        """Ratings of all items by users (B,) -> (B, I), not clipped, so that their order stays."""
        return self.mean + self.user_bias(users) + self.item_bias.weight.T + self.user(users) @ self.item.weight.T

    def squares(self, pairs: Tensor) -> Tensor:
        """The mean squared length of the vectors and biases that a batch uses: what Koren et al. penalize."""
        user, item = pairs.unbind(1)
        parts = (self.user(user), self.item(item), self.user_bias(user), self.item_bias(item))
        return torch.stack([part.square().sum(1) for part in parts]).sum(0).mean()


@trains(MatrixFactorization)
class LitMF(Regressor):
    """Matrix factorization by half the squared error. Batch: user and item (B, 2), rating (B,).

    Logs ``test/mae`` besides what ``Regressor`` logs.

    Args:
        penalty: lambda of the paper: of half the squared lengths of the vectors in use.
        **task: See ``Task``.
    """

    def __init__(self, num_users: int, num_items: int, penalty: float = 0.05, **task: Any) -> None:
        super().__init__(**task)
        self.num_users, self.num_items, self.penalty = num_users, num_items, penalty
        self.positives = torch.zeros(0, dtype=torch.long)  # who rated what in training, for new users
        self.test_mae = MeanAbsoluteError()
        self.example_input = torch.zeros(1, 2, dtype=torch.long)

    def setup(self, stage: str) -> None:
        """Begins with the mean of the training ratings."""
        super().setup(stage)
        found: Tensor | None = self.data_attribute("positives")
        if found is not None and (stage == "fit" or not len(self.positives)):
            self.positives = found
        if stage == "fit" and isinstance(self.net, MatrixFactorization):
            with torch.no_grad():
                self.net.mean.fill_(self.data_attribute("target_mean", float(self.net.mean)))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["positives"] = self.positives

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.positives = checkpoint.get("positives", self.positives)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        pairs, y = batch
        loss = self.loss(self(pairs), y)
        self.record_train_loss(loss, len(pairs))
        return loss + self.penalty / 2 * self.net.squares(pairs)  # type: ignore[operator]

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        found = super().test_step(batch, batch_idx)
        self.test_mae.update(found["prediction"].flatten().float(), batch[1].float())
        return found

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log("test/mae", self.test_mae)

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        """The best unseen items of users, ``(users, history, ...)``: see ``Ranker.predict_step``."""
        users, history = batch[:2]
        everything: Any = self.net.everything
        with full_precision(users):
            scores = everything(users.clamp(max=self.num_users - 1))
            unknown = users >= self.num_users
            if bool(unknown.any()):
                positives = self.positives.to(users.device)
                sizes = self.num_users, self.num_items
                scores[unknown] = neighbors_scores(everything, history[unknown], positives, *sizes)
        low, high = self.net.scale  # type: ignore[misc]
        seen = ~unseen(history, self.num_items)
        best = top_items(scores.float().masked_fill(seen, -torch.inf), self.data_attribute("top", 10))
        return [{**found, "scores": found["scores"].clamp(low, high)} for found in best]  # type: ignore[arg-type]
