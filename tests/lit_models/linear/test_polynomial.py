"""Polynomials: the battery, and what under- and overfitting are."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from callbacks.pictures.line_plots import LinePlots
from datamodules.synthetic.polynomial import NoisyPolynomial
from lit_models.linear.polynomial import LitPolynomial, least_squares, powers, rmse
from tests.battery import ADAM, RegressorBattery
from tests.small import small_trainer


class TestLitPolynomial(RegressorBattery):
    parameters = 4  # three coefficients and the constant
    overfit_steps = 300

    def model(self) -> LitPolynomial:
        return LitPolynomial(degree=3, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-1, 1, 16)[:, None]
        return x, x[:, 0] ** 3 / 2 - x[:, 0]


def errors(degree: int) -> tuple[float, float]:
    """Training and validation rmse of the exact fit."""
    splits = NoisyPolynomial().load("fit")
    net = least_squares(*splits["train"], degree)
    return rmse(net, *splits["train"]), rmse(net, *splits["val"])


def test_powers_are_divided_by_their_factorial() -> None:
    torch.testing.assert_close(powers(torch.tensor([[2.0]]), 4), torch.tensor([[2.0, 2.0, 8 / 6, 16 / 24]]))


def test_a_line_underfits_a_cubic_both_errors_are_many_times_the_noise() -> None:
    train, val = errors(1)
    assert train > 1 and val > 1


def test_the_right_degree_reaches_the_noise_on_both() -> None:
    train, val = errors(3)
    assert train == pytest.approx(0.1, abs=0.03) and val == pytest.approx(0.1, abs=0.03)


def test_as_many_coefficients_as_points_overfit_no_error_in_training_a_huge_one_outside() -> None:
    train, val = errors(19)
    assert train < 1e-4 and val > 3


def test_training_error_never_rises_with_the_degree_validation_error_does() -> None:
    both = [errors(degree) for degree in range(1, 16)]
    train, val = ([pair[k] for pair in both] for k in (0, 1))
    assert all(b <= a + 1e-9 for a, b in pairwise(train))
    assert val.index(min(val)) + 1 in (3, 4, 5) and val[-1] > 2 * min(val)


def test_another_width_of_x_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 1"):
        LitPolynomial(num_features=2)


def test_three_fits_are_drawn(tmp_path: Path) -> None:
    data = NoisyPolynomial(num_train=12)
    small_trainer(tmp_path, LinePlots("fits"), max_epochs=1).fit(LitPolynomial(), datamodule=data)
    assert (tmp_path / "fits.png").is_file()
