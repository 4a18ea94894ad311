"""Pairs of digits: the modes that are counted."""

import math

import pytest
import torch

from datamodules.vision.digit_pairs import DigitPairs
from lit_models.cnn.lenet_features import lenet_features
from lit_models.gan.pairs import LitPairs


def model() -> LitPairs:
    torch.manual_seed(0)
    return LitPairs(in_channels=2, image_size=16, latent_size=8, width=2)


def test_the_paper_s_settings_are_the_defaults() -> None:
    assert (model().loss, model().gradient_penalty, model().critic_steps) == ("wasserstein", 10.0, 5)


def test_the_classifier_reads_both_digits_of_real_pairs() -> None:
    data = DigitPairs(train_size=1, val_size=1, test_size=200)
    data.setup("test")
    x, y = data.splits["test"]
    features, pairs = model().features(2 * (x / 255) - 1)
    assert features.shape == (200, 168) and float((pairs.argmax(1) == y).float().mean()) > 0.8  # 94 % of single digits
    torch.testing.assert_close(pairs.exp().sum(1), torch.ones(200))
    torch.testing.assert_close(features[:, 84:], lenet_features()(x[:, 1:] / 255)[0])


@pytest.mark.parametrize(("classes", "modes", "kl"), [(100, 100, 0.0), (25, 25, math.log(4)), (1, 1, math.log(100))])
def test_modes_are_counted_and_compared_with_equal_frequencies(classes: int, modes: int, kl: float) -> None:
    label = torch.arange(400) % classes
    rows = {name: torch.randn(400, 3) for name in ("real", "fake", "real_logits", "fake_logits")}
    rows |= {name: 9.0 * torch.nn.functional.one_hot(label, 100) for name in ("real_classes", "fake_classes")}
    found = model().measures(rows)
    assert int(found["modes"]) == modes and float(found["kl_uniform"]) == pytest.approx(kl, abs=1e-5)
