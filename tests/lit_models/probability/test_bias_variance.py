"""The three parts of the error add up to it."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.curve_sets import CurveSets
from datamodules.synthetic.wavy_line import WavyLine
from lit_models.probability.bias_variance import LitBiasVariance, chebyshev
from tests.small import small_trainer

SGD = partial(torch.optim.SGD, lr=1.0)


def fitted(degree: int, folder: Path) -> tuple[LitBiasVariance, dict[str, float], CurveSets]:
    data = CurveSets(num_sets=60, num_test=2000, batch_size=50)
    model = LitBiasVariance(degree=degree, num_sets=60, optimizer=SGD)
    trainer = small_trainer(folder, max_epochs=1)
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    return model, dict(found), data


def test_each_training_set_has_its_least_squares(tmp_path: Path) -> None:
    model, _, data = fitted(4, tmp_path)
    assert data.curve_sets is not None
    x, y = (t.double().numpy() for t in data.curve_sets)
    grid = torch.linspace(-1, 1, 9)
    expected = np.polynomial.Polynomial.fit(x[7], y[7], 4)(grid.numpy())
    torch.testing.assert_close(model(grid[:, None])[:, 7].double(), torch.from_numpy(expected), atol=1e-3, rtol=0)


def test_the_parts_add_up_and_trade_places_with_the_degree(tmp_path: Path) -> None:
    low, high = fitted(1, tmp_path)[1], fitted(7, tmp_path)[1]
    for found in (low, high):
        total = found["test/bias2"] + found["test/variance"] + found["test/noise2"]
        assert abs(found["test/mse"] - total) < 0.01
        assert abs(found["test/noise2"] - 0.09) < 0.01
    assert low["test/bias2"] > 20 * high["test/bias2"] and high["test/variance"] > 2 * low["test/variance"]


def test_the_basis_is_chebyshevs() -> None:
    x = torch.linspace(-1, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(chebyshev(x, 5), torch.from_numpy(np.polynomial.chebyshev.chebvander(x.numpy(), 5)))


def test_the_picture_shows_the_fits_and_the_errors_by_degree(tmp_path: Path) -> None:
    model, _, _ = fitted(3, tmp_path)
    fits, by_degree = model.panels()
    assert "truth" in fits["lines"] and set(by_degree["lines"]) == {"bias^2", "variance", "sum"}


def test_a_degree_without_enough_points_and_other_data_are_one_line(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, max_epochs=1)
    with pytest.raises(UserError, match=r"model.degree 9 needs 10 points, data.num_points is 5"):
        trainer.fit(LitBiasVariance(degree=9, num_sets=3), CurveSets(num_sets=3, num_points=5))
    with pytest.raises(UserError, match="use the datamodule CurveSets"):
        small_trainer(tmp_path, max_epochs=1).fit(LitBiasVariance(degree=2, num_sets=3), WavyLine())
    with pytest.raises(UserError, match=r"data.num_sets is 1"):
        CurveSets(num_sets=1)
