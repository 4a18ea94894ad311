"""Recommendations as a table: titles and scores, the best first, nothing that a person has."""

import csv
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from callbacks.recommendations import Recommendations
from common.messages import UserError
from datamodules.ratings.planted_films import PlantedFilms
from lit_models.recommender.popularity import LitPopularity
from scripts.front.arguments import with_users
from tests.small import small_trainer


def rows_of(folder: Path, trainer: Trainer, data: PlantedFilms) -> list[list[str]]:
    trainer.predict(LitPopularity(num_users=20, num_items=15), datamodule=data, return_predictions=False)
    with open(folder / "predictions.csv", newline="") as file:
        return list(csv.reader(file))


def test_a_row_for_each_item_with_its_title(tmp_path: Path) -> None:
    data = PlantedFilms(20, 15, 5, 8, users="5,17", top=3)
    found = rows_of(tmp_path, small_trainer(tmp_path, Recommendations()), data)
    assert found[0] == ["user", "rank", "item", "title", "score"] and len(found) == 7
    assert [row[:2] for row in found[1:]] == [[user, rank] for user in ("5", "17") for rank in "123"]
    table = data.interactions()
    for user, _, item, title, _ in found[1:]:
        assert title == data.titles[int(item) - 1]
        assert int(item) - 1 not in table.item[table.user == int(user) - 1].tolist()


def test_words_of_the_command_line() -> None:
    words = ["recommender/mf", "--users", "5", "17", "--top", "3", "--out", "x.csv"]
    assert with_users(words) == ["recommender/mf", "--data.users=5,17", "--data.top", "3", "--out", "x.csv"]
    with pytest.raises(UserError, match="--users needs the names"):
        with_users(["recommender/mf", "--users", "--top", "3"])
