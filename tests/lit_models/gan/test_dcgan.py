"""DCGAN: sizes, initialization, conditions."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lit_models.gan.dcgan import DCGAN, LitDCGAN
from scripts.front.graphs import example_of, save_graph, save_onnx
from scripts.verbs.describe import kept_of_two, measure


def test_the_book_s_networks_have_their_parameters() -> None:
    net = DCGAN()
    counts = [sum(p.numel() for p in part.parameters()) for part in (net.generator, net.discriminator)]
    assert counts == [3_576_704, 2_765_696]


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (28, 1), (32, 3)])
def test_images_have_the_size_and_lie_between_minus_one_and_one(size: int, channels: int) -> None:
    net = DCGAN(channels, size, latent_size=8, width=2)
    images = net(torch.randn(3, 8))
    assert images.shape == (3, channels, size, size) and float(images.abs().max()) <= 1
    assert net.discriminator(images).shape == (3,)


@pytest.mark.parametrize("size", [30, 48, 4, 7])
def test_a_side_that_no_doubling_reaches_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"image_size is {size}: give 4 or 7 times"):
        DCGAN(1, size)


def test_scales_begin_around_one_and_not_around_zero() -> None:
    scales = torch.cat([m.weight for m in DCGAN().modules() if isinstance(m, torch.nn.BatchNorm2d)])
    assert float(scales.mean()) == pytest.approx(1, abs=0.01) and float(scales.std()) == pytest.approx(0.02, rel=0.2)


def test_a_conditional_network_answers_to_the_class() -> None:
    torch.manual_seed(0)
    net = DCGAN(1, 16, num_classes=3, latent_size=8, width=2, conditional=True).eval()
    noise, zeros, ones = torch.randn(4, 8), torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    assert not torch.allclose(net(noise, zeros), net(noise, ones))
    images = net(noise, zeros)
    assert not torch.allclose(net.discriminator(images, zeros), net.discriminator(images, ones))


def test_every_parameter_of_each_network_gets_a_gradient() -> None:
    torch.manual_seed(0)
    for options in ({}, {"conditional": True}, {"batch_norm": False, "spectral_norm": True}):
        net = DCGAN(1, 16, num_classes=3, latent_size=8, width=2, **options)  # type: ignore[arg-type]
        given = [torch.tensor([0, 1, 2, 0])] * net.num_conditions
        net.discriminator(net(torch.randn(4, 8), *given), *given).square().sum().backward()
        assert not [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]


def test_spectral_norm_makes_each_kernel_s_largest_singular_value_one() -> None:
    net = DCGAN(1, 16, latent_size=8, width=2, batch_norm=False, spectral_norm=True)
    for _ in range(60):
        net.discriminator(torch.randn(2, 1, 16, 16))
    kernel = net.discriminator.eval().features[0].weight.detach()
    assert float(torch.linalg.matrix_norm(kernel.flatten(1), 2)) == pytest.approx(1, abs=1e-3)


def test_a_picture_is_scored_in_any_class_that_suits_it() -> None:
    model = LitDCGAN(in_channels=1, image_size=16, num_classes=3, latent_size=8, width=2, conditional=True).eval()
    found = model.predict_step(torch.rand(5, 1, 16, 16), 0)
    assert found["score"].shape == (5,) and set(found["label"].tolist()) <= {0, 1, 2}


@pytest.mark.parametrize("conditional", [False, True])
def test_the_generator_is_described_and_its_graph_makes_the_same_images(tmp_path: Path, conditional: bool) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"in_channels": 1, "image_size": 16, "num_classes": 3, "latent_size": 8, "width": 2}
    model = LitDCGAN(**sizes, conditional=conditional).eval()
    assert measure(model, model.example_input)[1] and kept_of_two(model, model.example_input)  # type: ignore[arg-type]
    program, why_not = save_graph(model, inputs := example_of(model), tmp_path / "model.pt2")
    assert program is not None, why_not
    given = (torch.randn(5, 8), *[torch.tensor([0, 1, 2, 1, 0])] * conditional)
    torch.testing.assert_close(program.module()(*given), model(*given))
    assert save_onnx(model, program, inputs, tmp_path / "model.onnx") == ""
