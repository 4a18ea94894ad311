"""Noise on inputs and labels has the size that was asked for."""

import pytest
import torch

from common.messages import UserError
from lit_models.cnn.lenet import LitLeNet
from lit_models.regularization.noise import InputNoise, LabelNoise


def test_noise_on_inputs_has_its_standard_deviation() -> None:
    x, y = torch.rand(50, 1, 28, 28), torch.zeros(50, dtype=torch.long)
    noisy, same = InputNoise(0.3).batch(None, x, y)
    assert float((noisy - x).std()) == pytest.approx(0.3, rel=0.02) and same is y


def test_labels_are_replaced_evenly_classes_and_distributions_alike() -> None:
    model, y = LitLeNet(), torch.full((20_000,), 3)
    _, noisy = LabelNoise(0.5).batch(model, y.float(), y)
    counts = noisy.bincount(minlength=10) / len(y)
    assert float(counts[3]) == pytest.approx(0.55, abs=0.02) and float(counts[:3].mean()) == pytest.approx(
        0.05, abs=0.01
    )
    soft = torch.full((1000, 10), 0.1)
    _, mixed = LabelNoise(0.5).batch(model, soft, soft)
    kept = (mixed == 0.1).all(1)
    assert 0.4 < float(kept.float().mean()) < 0.6 and bool((mixed[~kept].max(1).values == 1).all())


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match="std is -1"):
        InputNoise(-1)
    with pytest.raises(UserError, match=r"fraction is 1\.5: give a number of at least 0 and at most 1"):
        LabelNoise(1.5)
