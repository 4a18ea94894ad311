"""Matrix factorization: the battery, the scale, the start at the mean, and recommendations."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.ratings.planted_films import PlantedFilms
from lit_models.recommender.mf import LitMF, MatrixFactorization
from tests.battery import ADAM, RegressorBattery
from tests.small import small_trainer


class TestLitMF(RegressorBattery):
    parameters = (8 + 9) * 3 + 8 + 9 + 1

    def model(self) -> LitMF:
        return LitMF(num_users=8, num_items=9, embed_size=3, penalty=0.0, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.stack([torch.arange(8), torch.arange(8).flip(0)], 1), torch.arange(8) % 4 + 1.0


def fitted(tmp_path: Path, epochs: int = 1) -> tuple[LitMF, PlantedFilms]:
    data = PlantedFilms(40, 30, 8, 12, feedback="explicit", split="random", batch_size=32)
    model = LitMF(num_users=40, num_items=30, embed_size=3, optimizer=ADAM)
    small_trainer(tmp_path, max_epochs=epochs).fit(model, datamodule=data)
    return model, data


def test_predictions_outside_of_training_stay_on_the_scale() -> None:
    net = MatrixFactorization(2, 2, 1.0, 5.0, 1)
    torch.nn.init.constant_(net.mean, 9.0)
    pairs = torch.tensor([[0, 1]])
    assert float(net.train()(pairs)) > 8 and float(net.eval()(pairs)) == 5.0


def test_training_begins_at_the_mean_rating(tmp_path: Path) -> None:
    data = PlantedFilms(40, 30, 8, 12, feedback="explicit", split="random")
    model = LitMF(num_users=40, num_items=30, optimizer=ADAM)
    small_trainer(tmp_path, max_epochs=0).fit(model, datamodule=data)
    assert float(model.net.mean) == pytest.approx(data.target_mean)  # type: ignore[arg-type]


def test_all_items_at_once_are_the_pairs_one_by_one() -> None:
    net = MatrixFactorization(3, 4, 1.0, 5.0, 2)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    pairs = torch.tensor([[2, item] for item in range(4)])
    torch.testing.assert_close(net.everything(torch.tensor([2]))[0], net(pairs)[:, 0])


def test_recommendations_are_unseen_and_for_new_users_too(tmp_path: Path) -> None:
    model, data = fitted(tmp_path)
    history = torch.tensor([[30, 3, 4], [1, 2, 5]])
    rows = model.eval().predict_step((torch.tensor([2, 44]), history), 0)
    for row, seen in zip(rows, history.tolist(), strict=True):
        assert not set(row["items"].tolist()) & set(seen) and 1 <= float(row["scores"].min()) <= 5
    assert len(data.positives) == len(model.positives)


def test_mean_absolute_error_is_logged(tmp_path: Path) -> None:
    model, data = fitted(tmp_path)
    (found,) = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)
    pairs, y = data.transform(data.splits["test"])
    assert found["test/mae"] == pytest.approx(float((model.eval()(pairs)[:, 0] - y).abs().mean()), abs=1e-5)
    assert found["test/mae"] <= found["test/rmse"]
