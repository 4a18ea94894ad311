"""AutoRec: an autoencoder of an item's ratings, which fills in those that nobody gave.

Sedhain et al. 2015, "AutoRec: autoencoders meet collaborative filtering". D2L 21.4 (items, sigmoid).
Departs from the book: the loss is the mean over the ratings that are there (the book divides by all cells); the mean
rating is taken off; predictions are clipped to the scale in evaluation.

    dive fit recommender/autorec            generated ratings, offline
    dive fit recommender/autorec_movielens  MovieLens 100K

The numbers they reach are in RESULTS.md.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.functional.ranking import top_items, unseen
from lit_models.layers.precision import full_precision
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


class AutoRec(nn.Module):
    """Ratings of items by all users (B, U), NaN where there is none -> ratings by all users (B, U).

    Args:
        num_users: U.
        min_rating, max_rating: The scale, to which predictions are clipped in evaluation.
        hidden_size: Units between.
        dropout: Of the hidden units.
    """

    gathered_at_once, forward_methods = True, ("everything",)

    def __init__(
        self,
        num_users: int,
        min_rating: float = 1.0,
        max_rating: float = 5.0,
        hidden_size: int = 500,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        self.scale = (min_rating, max_rating)
        self.mean = nn.Parameter(torch.full((1,), (min_rating + max_rating) / 2))
        self.encoder, self.decoder = nn.Linear(num_users, hidden_size), nn.Linear(hidden_size, num_users)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.encoder, self.decoder):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def everything(self, x: Tensor) -> Tensor:
        """Ratings (B, U) as ``forward`` has them, not clipped, so that their order stays."""
        given = (x - self.mean).nan_to_num(0.0)  # 0 where a rating is missing
        return self.mean + self.decoder(self.dropout(torch.sigmoid(self.encoder(given))))

    def forward(self, x: Tensor) -> Tensor:
        rating = self.everything(x)
        return rating if self.training else rating.clamp(*self.scale)


@trains(AutoRec)
class LitAutoRec(Task):
    """AutoRec by half the squared error of the ratings that are there (``data.batches: items``).

    Logs ``train/loss``, ``val/loss`` (with the half), ``val/rmse``, ``test/rmse`` and ``test/mae``. A checkpoint
    has the training ratings: they are inputs of a prediction, beside those of the datamodule.

    Args:
        **task: See ``Task``.
    """

    output_means = "Ratings of the items of the batch by all users."

    def __init__(self, num_users: int, **task: Any) -> None:
        super().__init__(**task)
        self.num_users = num_users
        self.places, self.ratings = torch.zeros(0, dtype=torch.long), torch.zeros(0)  # of training: item * U + user
        self.val_loss, self.test_loss, self.test_mae = MeanMetric(), MeanMetric(), MeanMetric()
        self.example_input = torch.zeros(1, num_users)

    def setup(self, stage: str) -> None:
        """Begins with the mean of the training ratings, and keeps them."""
        splits = self.data_attribute("splits")
        if stage == "fit" and splits:
            ratings = splits["train"][0].flatten()
            self.places = (~ratings.isnan()).nonzero()[:, 0]
            self.ratings = ratings[self.places]
        if stage == "fit" and isinstance(self.net, AutoRec):
            with torch.no_grad():
                self.net.mean.fill_(self.data_attribute("target_mean", float(self.net.mean)))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["places"], checkpoint["ratings"] = self.places, self.ratings

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.places = checkpoint.get("places", self.places)
        self.ratings = checkpoint.get("ratings", self.ratings)

    def errors(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Error where there is a rating and 0 elsewhere (B, U), and how many there are ()."""
        x, y = batch
        return (self(x) - y).nan_to_num(0.0), (~y.isnan()).sum()

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        error, count = self.errors(batch)
        loss = error.square().sum() / 2 / count.clamp(min=1)
        self.record_train_loss(loss, count)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        error, count = self.errors(batch)
        self.val_loss.update(error.square().sum() / 2 / count.clamp(min=1), count)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        error, count = self.errors(batch)
        self.test_loss.update(error.square().sum() / 2 / count.clamp(min=1), count)
        self.test_mae.update(error.abs().sum() / count.clamp(min=1), count)

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/rmse", torch.sqrt(2 * self.val_loss.compute()), prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/rmse", torch.sqrt(2 * self.test_loss.compute()))
        self.log("test/mae", self.test_mae)

    def known(self) -> Tensor:
        """Ratings of all items by all users (I, U), NaN where there is none: of training, over them the data's."""
        splits = self.data_attribute("splits")
        parts = [splits[name][1] for name in ("train", "val", "test")]
        known = torch.full_like(parts[0], torch.nan)
        known.view(-1)[self.places] = self.ratings
        for part in parts:
            known = torch.where(part.isnan(), known, part)
        return known

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        """The best unseen items of users, ``(users, history, ...)``: see ``Ranker.predict_step``."""
        users, history = batch[:2]
        if bool((users >= self.num_users).any()):
            raise UserError("AutoRec has an input for each user it was trained on: for new users take recommender/mf")
        known, net = self.known(), cast(Any, self.net)
        with full_precision(users):  # in bfloat16 many items would have the same rating
            scores = net.everything(known.to(net.encoder.weight))[:, users].T.float()
        seen = ~unseen(history, len(known))
        best = top_items(scores.masked_fill(seen, -torch.inf), self.data_attribute("top", 10))
        return [{**found, "scores": found["scores"].clamp(*net.scale)} for found in best]
