"""MovieLens 100K: 100,000 ratings from 1 to 5 of 1,682 films by 943 people, each with 20 at least, 1997 and 1998.

Harper and Konstan 2015; D2L 21.2. GroupLens does not allow to pass the data on, so it is downloaded.
Departs from the book: a person's last film by time is found by sorting, not by a search of the list for each row.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root, fetch, unpack
from datamodules.ratings.interactions import Interactions
from datamodules.ratings.ratings import Ratings

URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
SHA256 = "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"


def folder() -> Path:
    """``$DIVE_DATA/ml-100k`` with the files of the archive, downloaded and unpacked where it is not there."""
    here = Path(data_root()) / "ml-100k"
    if not (here / "u.data").is_file():
        unpack(fetch(URL, SHA256, "ml-100k.zip"), Path(data_root()))
    return here


def read_ratings(path: Path) -> np.ndarray:
    """Columns user, item, rating, time (N, 4) of ``u.data`` or of a published split.

    Raises:
        UserError: The file is missing or damaged.
    """
    try:
        table = np.loadtxt(path, dtype=np.int64, delimiter="\t", ndmin=2)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as ratings of MovieLens: {error}") from None
    if table.shape[1] != 4:
        raise UserError(f"{path} has {table.shape[1]} columns, not user, item, rating and time: download it again")
    return table


class MovieLens100K(Ratings):
    """MovieLens 100K in its published layout.

    Args:
        num_users, num_items: Those of the data.
        published: Test on the published split ``u1`` (20,000 ratings) in place of ``split``; validation is drawn from
            its training ratings.
        **ratings: See ``Ratings``.
    """

    def __init__(self, num_users: int = 943, num_items: int = 1682, published: bool = False, **ratings: Any) -> None:
        super().__init__(num_users, num_items, **ratings)
        self.published = published

    def interactions(self) -> Interactions:
        here = folder()
        if self.published:
            table = np.concatenate([read_ratings(here / "u1.base"), read_ratings(here / "u1.test")])
        else:
            table = read_ratings(here / "u.data")
        titles = [""] * self.num_items
        for line in (here / "u.item").read_text(encoding="latin-1").splitlines():
            number, title = line.split("|")[:2]
            titles[int(number) - 1] = title
        user, item, rating, time = torch.from_numpy(table).unbind(1)
        users, items = ([str(k + 1) for k in range(size)] for size in (self.num_users, self.num_items))
        return Interactions(user - 1, item - 1, rating.float(), time.clone(), users, items, titles)

    def parts(self, table: Interactions) -> Tensor:
        if not self.published:
            return super().parts(table)
        tested = len(read_ratings(folder() / "u1.test"))
        draw = torch.randperm(len(table) - tested, generator=torch.Generator().manual_seed(0))
        part = torch.full((len(table),), 2)
        part[: len(draw)] = (draw < round(self.val_fraction * len(draw))).long()
        return part
