"""AutoRec: the battery, what is not there, and new users."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from common.messages import UserError
from datamodules.ratings.planted_films import PlantedFilms
from datamodules.ratings.ratings_file import RatingsFile
from lit_models.recommender.autorec import AutoRec, LitAutoRec
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer


class TestLitAutoRec(TaskBattery):
    parameters = 2 * 9 * 5 + 5 + 9 + 1
    overfit_steps = 400

    def model(self) -> LitAutoRec:
        return LitAutoRec(num_users=9, hidden_size=5, dropout=0.0, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = (torch.arange(36).reshape(4, 9) % 5 + 1.0).masked_fill(torch.arange(36).reshape(4, 9) % 7 == 3, torch.nan)
        return x, x


def test_a_missing_rating_is_the_mean_and_not_a_zero() -> None:
    net = AutoRec(3, hidden_size=4)
    torch.nn.init.normal_(net.encoder.weight)
    torch.nn.init.normal_(net.decoder.weight)
    net.eval()
    torch.testing.assert_close(net(torch.tensor([[4.0, torch.nan, 2.0]])), net(torch.tensor([[4.0, 3.0, 2.0]])))


def test_only_ratings_that_are_there_count() -> None:
    model = LitAutoRec(num_users=3, hidden_size=2).eval()
    error, count = model.errors((torch.full((1, 3), torch.nan), torch.tensor([[1.0, torch.nan, 5.0]])))
    assert int(count) == 2 and float(error[0, 1]) == 0 and float(error[0, 0]) != 0


def fitted(tmp_path: Path, **options: Any) -> tuple[LitAutoRec, PlantedFilms, Trainer]:
    data = PlantedFilms(40, 30, 8, 12, feedback="explicit", split="random", batches="items", **options)
    model = LitAutoRec(num_users=40, hidden_size=4, optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=data)
    return model, data, trainer


def test_recommendations_are_unseen_and_new_users_are_one_line(tmp_path: Path) -> None:
    model, data, trainer = fitted(tmp_path, users="5", top=3)
    (found,) = trainer.test(model, datamodule=data, verbose=False)
    assert 0 < found["test/mae"] <= found["test/rmse"]
    rows = trainer.predict(model, datamodule=data)
    table = data.interactions()
    assert not set(rows[0][0]["items"].tolist()) & set(table.item[table.user == 4].tolist())  # type: ignore[index]
    with pytest.raises(UserError, match="for new users take recommender/mf"):
        model.predict_step((torch.tensor([40]), torch.tensor([[1]])), 0)


def test_items_at_the_largest_rating_are_ranked_by_what_is_beyond_it_in_single_precision(tmp_path: Path) -> None:
    model, _, _ = fitted(tmp_path)
    torch.nn.init.normal_(model.net.decoder.weight, 8.0)  # type: ignore[union-attr, arg-type]
    users, history = torch.tensor([3]), torch.tensor([[30]])
    model.eval()
    (found,) = model.predict_step((users, history), 0)
    assert found["scores"].tolist() == [5.0] * 10
    scores = model.net.everything(model.known())[:, 3]  # type: ignore[operator]
    assert found["items"].tolist() == scores.topk(10).indices.tolist()
    with torch.autocast("cpu", torch.bfloat16):
        (again,) = model.predict_step((users, history), 0)
    assert again["items"].tolist() == found["items"].tolist()


def test_the_ratings_of_training_are_inputs_beside_those_of_another_file(tmp_path: Path) -> None:
    model, old, trainer = fitted(tmp_path)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    (tmp_path / "new.csv").write_text("user,item,rating\n5,8,1\n5,9,2\n")
    new = RatingsFile(str(tmp_path / "new.csv"), 40, 30, 1.0, 5.0, feedback="explicit", split="random", batches="items")
    new.load_processor(old.processor())
    again = LitAutoRec(num_users=40, hidden_size=4, optimizer=ADAM)
    (rows,) = small_trainer(tmp_path).predict(again, datamodule=new, ckpt_path=tmp_path / "last.ckpt")  # type: ignore[misc, arg-type]
    known = old.splits["train"][0].clone()
    known[7, 4], known[8, 4] = 1.0, 2.0
    with torch.inference_mode():
        scores = model.eval()(known)[:, 4]
        torch.testing.assert_close(rows[0]["scores"], scores[rows[0]["items"]])  # type: ignore[index, call-overload]
