"""The base of ratings: splits without leaks, and the batches of rating prediction and of ranking.

Explicit feedback (``feedback: explicit``) is ``(x, y)``: user and item (B, 2), and the rating (B,). With
``batches: items`` a row is an item: its training ratings by all users (B, U) and those of the part (B, U), NaN where
there is none.

Implicit feedback is ``(users, history, targets)``: users (B,); history (B, L), the items that a model may know of each
user, oldest first, padded in front; targets (B, K), padded behind. Padding is the number ``num_items``. In training
a row is one of

- ``pairs``: a user and one of its items; the history is empty, L = 0;
- ``users``: a user with all its training items, which are the targets too;
- ``windows``: ``window`` items of a user and the item after them.

In evaluation a row is a user, its history without the evaluated items, and these as targets. Where ``split`` is
``leave_one_out``, a user's last item by time is the test, the one before validation: no history has an item that is
newer than its target. In prediction the history is all that is known.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.base import TensorDataModule
from datamodules.ratings.interactions import (
    Histories,
    Interactions,
    at_random,
    check_scale,
    leave_one_out,
    number_names,
    padded,
)
from datamodules.reading import some


class Ratings(TensorDataModule):
    """Ratings in memory. A subclass supplies ``interactions``.

    Args:
        num_users, num_items: Rows of the tables of users and items that a model has.
        min_rating, max_rating: The scale of the ratings.
        feedback: ``explicit`` to predict ratings, ``implicit`` to rank: each rating is a sign of interest.
        split: ``random`` by rating, or ``leave_one_out`` by time: see the top of the file.
        val_fraction, test_fraction: Of a random split.
        batches: The rows: see the top of the file.
        window: Items of a row of ``windows``.
        users: Whom to predict for: names of users, a list or one text with commas; empty means all.
        top: How many items to predict for each.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_users", "num_items", "min_rating", "max_rating")
    input_means = "users and items by their places in the lists of processor.json"
    items = "ratings"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        min_rating: float = 1.0,
        max_rating: float = 5.0,
        feedback: Literal["explicit", "implicit"] = "implicit",
        split: Literal["random", "leave_one_out"] = "leave_one_out",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        batches: Literal["pairs", "users", "windows", "items"] = "pairs",
        window: int = 5,
        users: Sequence[str] | str = "",
        top: int = 10,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        if top < 1:
            raise UserError(f"data.top is {top}: give a whole number of at least 1")
        if window < 1:
            raise UserError(f"data.window is {window}: give a whole number of at least 1")
        self.num_users, self.num_items = num_users, num_items
        self.min_rating, self.max_rating = min_rating, max_rating
        self.feedback, self.split, self.batches, self.window = feedback, split, batches, window
        self.val_fraction, self.test_fraction = val_fraction, test_fraction
        self.users = [word.strip() for word in users.split(",") if word.strip()] if isinstance(users, str) else users
        self.top = top
        self.user_names: list[str] = []
        self.item_names: list[str] = []
        #: What each item is called, for predictions.
        self.titles: list[str] = []
        #: Mean of the training ratings.
        self.target_mean = 0.0
        #: user * num_items + item of the training pairs, sorted: what negatives must not be.
        self.positives = torch.zeros(0, dtype=torch.int64)
        #: How many training interactions each item has (I,).
        self.item_counts = torch.zeros(num_items, dtype=torch.int64)
        self.sequence = torch.zeros(0, dtype=torch.int32)  # the items of all histories, of which rows are slices

    # -- for the subclass ---------------------------------------------------------------------------------------------

    def interactions(self) -> Interactions:
        """The ratings, each pair of user and item once."""
        raise NotImplementedError

    def parts(self, table: Interactions) -> Tensor:
        """The part (N,) of each rating: 0 training, 1 validation, 2 test."""
        if self.split == "leave_one_out":
            return leave_one_out(table.user, table.time)
        return at_random(len(table), self.val_fraction, self.test_fraction)

    # -- what a run keeps ---------------------------------------------------------------------------------------------

    def processor(self) -> dict[str, Any]:
        names = {"users": self.user_names, "items": self.item_names, "titles": self.titles}
        return {**super().processor(), **names, "target_mean": self.target_mean}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.user_names, self.item_names = processor["users"], processor["items"]
        self.titles, self.target_mean = processor["titles"], processor["target_mean"]

    # -- loading ------------------------------------------------------------------------------------------------------

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        table = self.interactions()
        if not len(table):
            raise UserError(f"{self.own_path or type(self).__name__} has no ratings: give it some")
        where = self.own_path or type(self).__name__
        if self.feedback == "explicit" and (stage != "predict" or self.batches == "items"):  # else no rating is used
            check_scale(table.rating, self.min_rating, self.max_rating, where, table.rows)
        for name, count, size in (
            ("users", 0 if stage == "predict" else len(table.users), self.num_users),
            ("items", len(table.items), self.num_items),
        ):
            if count > size:
                raise UserError(f"{where} has {count:,} {name}, data.num_{name} is {size:,}: give it {count}")
        self.user_names, self.item_names = table.users[: self.num_users], table.items
        self.titles = table.titles or table.items
        part = self.parts(table)
        train = part == 0
        if not bool(train.any()) or (not bool((part == 1).any()) and stage != "predict"):
            raise UserError(f"{where} has too few ratings for a split: a user needs three for leave_one_out")
        self.positives = (table.user[train] * self.num_items + table.item[train]).sort().values
        self.item_counts = table.item[train].bincount(minlength=self.num_items)
        self.target_mean = float(table.rating[train].double().mean())
        self.histories = Histories(table, part)
        self.sequence = self.histories.items
        if self.feedback == "explicit":
            return self.explicit(table, part, stage)
        return self.implicit(table, part, stage)

    def explicit(self, table: Interactions, part: Tensor, stage: str) -> dict[str, tuple[Tensor, ...]]:
        """User and item (N, 2) int32 with the rating (N,); of prediction all items of the users."""
        pairs = torch.stack([table.user, table.item], 1).int()
        names = ("train", "val", "test")
        splits: dict[str, tuple[Tensor, ...]] = {
            name: (pairs[part == k], table.rating[part == k]) for k, name in enumerate(names)
        }
        if self.batches == "items":
            whole = [torch.full((self.num_items, self.num_users), torch.nan) for _ in names]
            for k, ratings in enumerate(whole):
                ours = (part == k) & (table.user < self.num_users)
                ratings[table.item[ours], table.user[ours]] = table.rating[ours]
            splits = {name: (whole[0], ratings) for name, ratings in zip(names, whole, strict=True)}
        splits["predict"] = (self.histories.slices(self.asked(table), 2), torch.full((len(self.asked(table)), 1), -1))
        return splits

    def implicit(self, table: Interactions, part: Tensor, stage: str) -> dict[str, tuple[Tensor, ...]]:
        """Rows ``user, start, end`` (N, 3) of histories and targets (N, K), both int32."""
        histories = self.histories
        every = torch.arange(min(len(table.users), self.num_users))
        splits: dict[str, tuple[Tensor, ...]] = {}
        trained = every[histories.ends[0][every] > histories.start[every]]
        if self.batches == "pairs":
            user, item = table.user[part == 0], table.item[part == 0]
            none = torch.zeros_like(user)
            splits["train"] = (torch.stack([user, none, none], 1).int(), item[:, None].int())
        elif self.batches == "users":
            splits["train"] = (histories.slices(trained, 0), torch.zeros(len(trained), 0, dtype=torch.int32))
        else:
            splits["train"] = self.windows(trained)
        for k, name in ((1, "val"), (2, "test")):
            tested = every[histories.ends[k][every] > histories.ends[k - 1][every]]
            splits[name] = (histories.slices(tested, k - 1), histories.targets(tested, k, self.num_items))
        asked = self.asked(table)
        splits["predict"] = (histories.slices(asked, 2), torch.zeros(len(asked), 0, dtype=torch.int32))
        return splits

    def windows(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Each training item that has one before it, with up to ``window`` items before it as its history."""
        start, end = self.histories.start[users], self.histories.ends[0][users]
        counts = (end - start - 1).clamp(min=0)
        row = torch.repeat_interleave(torch.arange(len(users)), counts)
        place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row] + start[row] + 1
        first = torch.maximum(start[row], place - self.window)
        return torch.stack([users[row], first, place], 1).int(), self.sequence[place.long(), None]

    def asked(self, table: Interactions) -> Tensor:
        """The users of the predict split, by ``users``.

        Raises:
            UserError: One of them has no ratings.
        """
        if not self.users:
            found = table.user.unique()
        else:
            found = number_names([str(user) for user in self.users], table.users)
            rated = table.user.bincount(minlength=len(table.users)).tolist()
            unknown = [str(user) for user, k in zip(self.users, found.tolist(), strict=True) if k < 0 or not rated[k]]
            if unknown:
                raise UserError(
                    f"--users {some(unknown)}: no ratings of theirs. Users are called {some(table.users[:3])}; for a "
                    "new user give a file with its ratings, --data.path FILE"
                )
        self.predict_names = [table.users[k] for k in found.tolist()]
        return found

    # -- batches ------------------------------------------------------------------------------------------------------

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rows, targets = batch
        if rows.is_floating_point():
            return rows, targets
        if rows.shape[1] == 2:
            return rows.long(), targets
        if self.sequence.device != rows.device:
            self.sequence = self.sequence.to(rows.device)
        users, start, end = rows.long().unbind(1)
        history = padded(self.sequence, start, end, self.num_items).long()
        return users, history, targets.long() if targets.shape[1] else history

    def baselines(self) -> dict[str, dict[str, Any]]:
        """A random order, and the items that most users have; for ratings the mean, and the means of user and item."""
        from datamodules.ratings.baseline import mean_ratings, random_and_popular

        if self.feedback == "explicit":
            train, test = (as_pairs(self.splits[name]) for name in ("train", "test"))
            return mean_ratings(train, test, self.num_users, self.num_items)
        return random_and_popular(self)

    def say_duplicates(self, count: int) -> None:
        """Counts what was left out, in the line of what was read."""
        if count:
            self.facts.append(f"{count:,} duplicate pairs of user and item, the newest kept")
            if not self.own_path:
                note(f"{type(self).__name__}: {count:,} duplicate pairs of user and item, the newest kept")


def as_pairs(split: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """User and item (N, 2) with the rating (N,), also of a split whose rows are items."""
    if not split[0].is_floating_point():
        return split
    item, user = (~split[1].isnan()).nonzero().unbind(1)
    return torch.stack([user, item], 1).int(), split[1][item, user]
