"""Your own ratings: a CSV file with the columns user, item, rating, timestamp in any order, with any names of users.

    dive fit recommender/bpr_mf --data RatingsFile --data.path ratings.csv       who likes what: rankings
    dive fit recommender/mf --data RatingsFile --data.path ratings.csv           predicts the ratings
    dive predict recommender/bpr_mf --users ada 17 --top 5                       titles and scores
    dive predict recommender/bpr_mf --data.path new.csv                          users who were not there: fold-in

``rating`` may be missing for rankings (each row is a 1), and ``timestamp`` (the order of the rows is that of time). A
column ``title`` names items for a person. Of a pair of user and item that is there twice the newest rating is kept.
"""

from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from common.messages import UserError, did_you_mean
from datamodules.ratings.interactions import Interactions, without_duplicates
from datamodules.ratings.ratings import Ratings
from datamodules.reading import some
from datamodules.run_file import KnowsItsFile
from datamodules.tabular.tables import read_table

COLUMNS = {"user": ("user_id", "userid"), "item": ("item_id", "itemid", "movie_id", "movieid")}
OPTIONAL = {"rating": ("score", "stars"), "timestamp": ("time", "unix_timestamp"), "title": ("name",)}


class RatingsFile(KnowsItsFile, Ratings):
    """A person's ratings. Sizes and scale are those of the file unless they are given.

    A user with one or two ratings is trained on and not tested (``leave_one_out``).

    Args:
        path: The CSV file. In prediction another file has the ratings of other users, of the items of the run.
        num_users, num_items, min_rating, max_rating: 0 means as found in the file (``infer``).
        feedback, split: See ``Ratings``.
        **ratings: See ``Ratings``.

    Raises:
        UserError: The file cannot be read, a column is missing, or a cell is not what it should be; before a test, the
            run's own file changed and its split is random.
    """

    tested_whole = False  # a user is tested on what follows its history

    def __init__(
        self,
        path: str = "",
        num_users: int = 0,
        num_items: int = 0,
        min_rating: float = 0.0,
        max_rating: float = 0.0,
        feedback: Literal["explicit", "implicit"] = "implicit",
        split: Literal["random", "leave_one_out"] = "leave_one_out",
        **ratings: Any,
    ) -> None:
        found = self.infer(path) if path and not (num_users and num_items and max_rating) else {}
        sizes = {"num_users": num_users, "num_items": num_items, "max_rating": max_rating}
        sizes = {name: value or found.get(name, 0) for name, value in sizes.items()}
        low = min_rating or found.get("min_rating", 0.0)
        super().__init__(**sizes, min_rating=low, feedback=feedback, split=split, **ratings)  # type: ignore[arg-type]
        self.path = path

    @property
    def own_path(self) -> str:  # type: ignore[override]
        """The file."""
        return self.path

    @staticmethod
    def infer(
        path: str = "", num_users: int = 0, num_items: int = 0, min_rating: float = 0.0, max_rating: float = 0.0
    ) -> dict[str, Any]:
        """How many users and items the file has, and its smallest and largest rating, whatever was given."""
        if not path:
            raise UserError("RatingsFile needs --data.path FILE, a CSV file with user, item, rating, timestamp")
        table = read_columns(path)
        rating = table["rating"]
        return {
            "num_users": table["user"].nunique(),
            "num_items": table["item"].nunique(),
            "min_rating": float(rating.min()),
            "max_rating": float(rating.max()),
        }

    @staticmethod
    def decided_by_files(path: str = "") -> dict[str, Any]:
        """The sizes and the scale of the file stand before a recipe's."""
        return RatingsFile.infer(path) if path else {}

    def interactions(self) -> Interactions:
        if self.split == "random" or self.stage == "fit":  # else the newest ratings are tested, also of a longer file
            self.is_another(self.stage)
        rated = self.feedback == "explicit" and (self.stage != "predict" or self.batches == "items")
        table = read_columns(self.path, rated)
        if rated and self.stage == "fit" and table["rating"].nunique() == 1:
            raise UserError(
                f"{self.path}: all ratings are {table['rating'].iloc[0]:g}, and this model predicts ratings: give "
                "different ones, or a recipe that ranks, such as recommender/bpr_mf"
            )
        items, users = list(dict.fromkeys(table["item"])), list(dict.fromkeys(table["user"]))
        titles = dict(zip(table["item"], table["title"], strict=True))
        if self.item_names:  # of the run that trained the model
            known = set(self.item_names)
            if unknown := [name for name in items if name not in known]:
                self.facts.append(f"{len(unknown):,} items that the model does not know left out ({some(unknown, 3)})")
                table = table[table["item"].isin(known)]
            items = self.item_names
            met = set(self.user_names)
            users = [*self.user_names, *(u for u in dict.fromkeys(table["user"]) if u not in met)]
            titles = dict(zip(items, self.titles, strict=True))
        number = [{name: k for k, name in enumerate(names)} for names in (users, items)]
        user, item = (table[c].map(n).to_numpy(np.int64) for c, n in zip(("user", "item"), number, strict=True))
        rating, time = table["rating"].to_numpy(np.float32), table["timestamp"].to_numpy(np.int64)
        who, what, stars, when = (torch.from_numpy(column.copy()) for column in (user, item, rating, time))
        called = [str(titles[name]) for name in items]
        rows = torch.from_numpy(table.index.to_numpy() + 1)
        found, duplicates = without_duplicates(Interactions(who, what, stars, when, users, items, called, rows))
        self.say_duplicates(duplicates)
        counts = found.user.bincount(minlength=len(users))
        few = int(((counts > 0) & (counts < 3)).sum())
        if self.split == "leave_one_out" and self.feedback == "implicit" and few > 0 and self.stage != "predict":
            self.facts.append(f"{few:,} users with one or two ratings are trained on and not tested")
        return found


def read_columns(path: str, rated: bool = False) -> pd.DataFrame:
    """The columns user, item, title (texts), rating (float) and timestamp (int) of a file.

    Of times with fractions, and of those beyond 64 bits, ``timestamp`` is the rank: only their order is used.

    Args:
        path: The file.
        rated: The ratings are what a model learns: they must be there.

    Raises:
        UserError: A column is missing, or a cell is missing or is not a number, by its row.
    """
    if not path:
        raise UserError("RatingsFile needs --data.path FILE, a CSV file with user, item, rating, timestamp")
    table = read_table(path, text=None)
    names = {str(column).strip().lower(): column for column in table.columns}
    found: dict[str, Any] = {}
    for wanted, others in (COLUMNS | OPTIONAL).items():
        column = next((names[name] for name in (wanted, *others) if name in names), None)
        if column is not None:
            found[wanted] = table[column]
        elif wanted in COLUMNS:
            near = did_you_mean(wanted, names)
            raise UserError(f"{path} has no column {wanted!r}{near} Its columns are {some(table.columns)}")
    if rated and "rating" not in found:
        raise UserError(
            f"{path} has no column 'rating', and this model predicts ratings: give it one, or a recipe that ranks, "
            f"such as recommender/bpr_mf. Its columns are {some(table.columns)}"
        )
    for name in ("user", "item"):
        if bool(found[name].isna().any()):
            raise UserError(f"{path}, row {first_row(found[name].isna())}: no {name}")
    size = len(table)
    rating = numbers(found["rating"], path, "rating") if "rating" in found else pd.Series(np.ones(size))
    time = numbers(found["timestamp"], path, "timestamp") if "timestamp" in found else pd.Series(np.arange(size))
    if time.dtype.kind != "i":
        time = time.rank(method="dense")
    title = found["title"].fillna(found["item"]) if "title" in found else found["item"]
    columns = {"user": found["user"], "item": found["item"], "title": title, "rating": rating, "timestamp": time}
    return pd.DataFrame({k: np.asarray(v) for k, v in columns.items()}).astype({"timestamp": np.int64})


def numbers(column: pd.Series, path: str, name: str) -> pd.Series:
    """A column of texts as numbers; an empty cell is an error too."""
    found = pd.to_numeric(column, errors="coerce")
    wrong = found.isna() | np.isinf(found)
    if bool(wrong.any()):
        cell = column[wrong].iloc[0]
        hint = ", seconds such as 1700000000" if name == "timestamp" else ""
        raise UserError(
            f"{path}, row {first_row(wrong)}: {name} is {'empty' if pd.isna(cell) else repr(cell)}, not a number{hint}"
        )
    return found


def first_row(wrong: pd.Series) -> int:
    """The number of the first row, from 1, without the heading."""
    return int(np.flatnonzero(wrong.to_numpy())[0]) + 1
