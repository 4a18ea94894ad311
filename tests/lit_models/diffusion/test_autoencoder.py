"""The autoencoder: sizes, the divergence, what training and test look at."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.diffusion.autoencoder import AutoencoderKL, LitAutoencoder, divergence, drawn, latent_side
from tests.battery import ADAM


def small(**settings: Any) -> LitAutoencoder:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"image_size": 8, "autoencoder_widths": (4, 8), "latent_channels": 2}
    return LitAutoencoder(**(sizes | {"optimizer": ADAM} | settings))


def test_latents_are_smaller_and_reconstructions_as_large_as_pictures() -> None:
    net, x = AutoencoderKL(3, 16, latent_channels=2, autoencoder_widths=(4, 4, 8)), torch.rand(2, 3, 16, 16)
    mean, log_variance = net.encode(x)
    assert mean.shape == log_variance.shape == (2, 2, 4, 4) and net(x).shape == x.shape
    assert latent_side(16, (4, 4, 8)) == 4


def test_every_parameter_gets_a_gradient_from_the_loss() -> None:
    model = small()
    model.parts(torch.rand(3, 1, 8, 8), sampled=True)[2].backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]


def test_the_divergence_is_that_of_torch_and_zero_of_the_prior() -> None:
    mean, log_variance = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    theirs = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).flatten(1).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), theirs)
    assert not divergence(torch.zeros(1, 5), torch.zeros(1, 5)).any()


def test_samples_have_the_mean_and_the_variance() -> None:
    found = drawn(torch.full((1, 20_000), 2.0), torch.full((1, 20_000), 0.5).log(), torch.Generator().manual_seed(0))
    assert abs(float(found.mean()) - 2) < 0.02 and abs(float(found.var()) - 0.5) < 0.02


def test_the_weight_of_the_divergence_is_in_the_loss_of_a_pixel() -> None:
    x, model = torch.rand(2, 1, 8, 8), small()
    losses: list[Tensor] = []
    for weight in (0.0, 1.0):
        model.kl_weight = weight
        *_, loss, kl = model.parts(x, sampled=False)
        losses.append(loss)
    torch.testing.assert_close(losses[1] - losses[0], kl.mean() / 64)


def test_the_test_measures_the_factor_that_brings_latents_to_variance_one(tmp_path: Path) -> None:
    model, x = small(in_channels=3).eval(), torch.rand(12, 3, 8, 8)
    batches: Any = DataLoader([(x[:8], torch.zeros(8)), (x[8:], torch.zeros(4))], batch_size=None)
    (found,) = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path).test(model, batches, verbose=False)
    with torch.no_grad():
        error = (model(2 * x - 1).clamp(-1, 1) / 2 + 0.5 - x).square().mean()
        scale = 1 / model.net.encode(2 * x - 1)[0].std(correction=0)  # type: ignore[operator,union-attr]
    assert found["test/scale"] == pytest.approx(float(scale), rel=1e-4)
    assert found["test/psnr"] == pytest.approx(float(-10 * error.log10()), rel=1e-4) and "test/agreement" not in found
    torch.testing.assert_close(model.predict_step(x, 0)["error"].mean(), error)


def test_sizes_that_do_not_divide_are_one_line() -> None:
    with pytest.raises(UserError, match=r"data.image_size is 30: 3 autoencoder_widths halve it 2 times, give a multip"):
        AutoencoderKL(image_size=30)
    with pytest.raises(UserError, match="give multiples of autoencoder_groups"):
        AutoencoderKL(autoencoder_widths=(6, 8))
