"""Adversarial training of points: shapes, measures, the picture."""

from pathlib import Path

import pytest
import torch

from callbacks.pictures.samples import Samples
from datamodules.synthetic.plane_points import PlanePoints
from lit_models.gan.toy import LitToyGAN, ToyGAN
from tests.small import small_trainer


def test_the_book_s_networks_have_their_sizes() -> None:
    net = ToyGAN()
    counts = [sum(p.numel() for p in part.parameters()) for part in (net.generator, net.discriminator)]
    assert counts == [6, 15 + 18 + 4]
    assert net.generator(torch.randn(7, 2)).shape == (7, 2)
    assert net.discriminator(torch.randn(7, 2)).shape == (7,)


def test_the_book_s_initialization_is_narrow_for_biases_too() -> None:
    net = ToyGAN(discriminator_sizes=(500,), init_std=0.02)
    for p in net.discriminator.parameters():
        assert p.numel() == 1 or float(p.std()) == pytest.approx(0.02, rel=0.2)


def test_spectral_norm_makes_each_layer_a_contraction() -> None:
    net = ToyGAN(discriminator_sizes=(32, 32), activation="relu", spectral_norm=True)
    for _ in range(50):  # power iterations
        net.discriminator(torch.randn(4, 2))
    x, y = torch.randn(100, 2), torch.randn(100, 2)
    slopes = (net.discriminator(x) - net.discriminator(y)).abs() / (x - y).norm(dim=1)
    assert float(slopes.max()) <= 1.01


def test_samples_of_the_true_distribution_have_no_error_and_cover_all_modes() -> None:
    model = LitToyGAN()
    data = PlanePoints(kind="grid", num_test=5000)
    real, fake = data.load("test")["test"][0].split(2500)
    model.data_attribute = lambda name, default=None: getattr(data, name, default)  # type: ignore[method-assign]
    zeros = torch.zeros(2500)
    found = model.measures({"real": real, "fake": fake, "real_logits": zeros, "fake_logits": zeros})
    assert int(found["modes"]) == 25 and found["good"] > 0.97
    assert found["mean_error"] < 0.2 and found["covariance_error"] < 0.05 and found["frechet"] < 0.1
    collapsed = model.measures({"real": real, "fake": fake * 0, "real_logits": zeros, "fake_logits": zeros})
    assert int(collapsed["modes"]) == 1 and collapsed["covariance_error"] > 0.9


def test_a_test_draws_data_and_generated_points(tmp_path: Path) -> None:
    small_trainer(tmp_path, Samples(50)).test(LitToyGAN(), datamodule=PlanePoints(num_test=80), verbose=False)
    assert (tmp_path / "samples.png").is_file()


def test_the_same_evaluation_twice_gives_the_same_numbers(tmp_path: Path) -> None:
    model, data = LitToyGAN(), PlanePoints(num_test=300)
    first, second = (small_trainer(tmp_path).test(model, datamodule=data, verbose=False)[0] for _ in range(2))
    assert first == second and "test/frechet" in first
