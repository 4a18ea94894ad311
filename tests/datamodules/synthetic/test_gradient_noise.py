"""Noise of a gradient: in training only, the same for every seed of the run, of the size that was asked."""

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.gradient_noise import GradientNoise


def test_training_rows_are_noise_and_the_others_zero() -> None:
    parts = GradientNoise(num_features=3, std=2.0, num_train=4000).load("fit")
    assert parts["train"][0].shape == (4000, 3) and 1.95 < float(parts["train"][0].std()) < 2.05
    assert not any(bool(parts[name][0].any()) for name in ("val", "test", "predict"))
    again = GradientNoise(num_features=3, std=2.0, num_train=4000).load("fit")
    assert torch.equal(parts["train"][0], again["train"][0])


def test_no_noise_is_the_exact_gradient_and_negative_noise_is_refused() -> None:
    assert not GradientNoise().load("fit")["train"][0].any()
    with pytest.raises(UserError, match="std is -1"):
        GradientNoise(std=-1.0)
