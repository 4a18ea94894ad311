"""Calibration: what is calibrated has no error, the temperature that spoiled logits is found, members disagree."""

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.functional.calibration import calibration_error, dropout_passes, fitted_temperature, uncertainty


def drawn(rows: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, 4) and classes drawn from their own probabilities."""
    logits = 2 * torch.randn(rows, 4)
    return logits, torch.distributions.Categorical(logits=logits).sample()


@pytest.mark.parametrize("equal_mass", [True, False])
def test_probabilities_that_made_the_labels_are_calibrated_and_sharper_ones_are_not(equal_mass: bool) -> None:
    logits, y = drawn()
    assert float(calibration_error(logits.softmax(1), y, equal_mass=equal_mass)) < 0.012
    assert float(calibration_error((3 * logits).softmax(1), y, equal_mass=equal_mass)) > 0.1


def test_the_error_of_two_bins_by_hand() -> None:
    p = torch.tensor([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    y = torch.tensor([0, 1, 0, 0])  # half of the unsure ones right, all of the sure ones
    assert float(calibration_error(p, y, bins=2)) == pytest.approx((0.1 + 0.1) / 2)
    assert float(calibration_error(p, y, bins=1)) == pytest.approx(0.0, abs=1e-6)  # which hides both


def test_the_temperature_that_was_multiplied_in_is_found() -> None:
    logits, y = drawn()
    assert fitted_temperature(3 * logits, y) == pytest.approx(3, rel=0.05)
    t = fitted_temperature(0.2 * logits, y)
    loss = [float(nn.functional.cross_entropy(0.2 * logits / s, y)) for s in (0.9 * t, t, 1.1 * t)]
    assert loss[1] == min(loss)


def test_uncertainty_is_what_members_do_not_know_plus_what_they_disagree_about() -> None:
    agree = torch.tensor([0.5, 0.5]).expand(3, 1, 2)
    sure = torch.eye(2)[:, None]  # two members, each certain of another class
    assert float(uncertainty(agree).information) == pytest.approx(0, abs=1e-6)
    found = uncertainty(sure)
    assert float(found.expected) == 0 and float(found.information) == pytest.approx(float(torch.tensor(2.0).log()))


def test_dropout_passes_differ_and_leave_the_network_in_its_mode() -> None:
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2)).eval()
    mean = net[1].running_mean.clone()  # type: ignore[union-attr,operator]
    passes = dropout_passes(net, torch.randn(5, 3), 4)
    assert passes.shape == (4, 5, 2) and not torch.equal(passes[0], passes[1])
    assert not any(m.training for m in net.modules()) and torch.equal(net[1].running_mean, mean)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no dropout"):
        dropout_passes(nn.Linear(3, 2), torch.randn(5, 3))
    with pytest.raises(UserError, match="at least 2"):
        dropout_passes(net, torch.randn(5, 3), 1)
