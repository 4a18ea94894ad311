"""StyleGAN2: truncation, mixing, the mean style, gradients."""

from typing import Any

import torch

from lit_models.gan.stylegan2 import LitStyleGAN2, StyleGAN2


def small(**options: Any) -> StyleGAN2:
    torch.manual_seed(0)
    return StyleGAN2(3, 16, latent_size=8, mapping_layers=2, width=64, max_channels=8, **options)


def test_images_have_the_size_and_evaluation_is_repeatable() -> None:
    net = small().eval()
    z = torch.randn(3, 8)
    assert net(z).shape == (3, 3, 16, 16) and torch.equal(net(z), net(z))
    assert not torch.equal(net.train()(z), net(z))  # mixed styles


def test_truncation_moves_styles_to_the_mean() -> None:
    net = small().eval()
    net.generator.mapping.w_avg.copy_(torch.randn(8))  # type: ignore[operator,union-attr]
    z, mean = torch.randn(5, 8), net.generator.mapping.w_avg
    whole, half, none = (net.generator.styles(z, t) for t in (1.0, 0.5, 0.0))
    torch.testing.assert_close(half, (whole + mean) / 2)  # type: ignore[operator]
    torch.testing.assert_close(none, mean.expand_as(none))  # type: ignore[operator]
    images = net.generator(z, 0.0)
    torch.testing.assert_close(images, images[:1].expand_as(images))


def test_mixing_takes_the_styles_from_some_layer_on_from_another_noise() -> None:
    net = small(mixing=1.0).train()
    ws = net.generator.styles(torch.randn(64, 8))
    changes = (ws[:, 1:] != ws[:, :-1]).any(-1)  # from one layer to the next
    assert bool((changes.sum(1) == 1).all()) and int(changes.any(0).sum()) == 6  # at any layer
    assert not bool((small(mixing=0.0).train().generator.styles(torch.randn(64, 8)).std(1) > 0).any())


def test_the_mean_style_follows_in_training_only() -> None:
    net = small()
    mapping = net.generator.mapping
    net.eval()(torch.randn(4, 8))
    assert not bool(mapping.w_avg.any())  # type: ignore[operator,union-attr]
    for _ in range(1500):
        mapping.train()(torch.randn(64, 8))
    w = mapping.eval()(torch.randn(4000, 8))
    assert float((mapping.w_avg - w.mean(0)).norm() / w.mean(0).norm()) < 0.05  # type: ignore[operator]


def test_every_parameter_of_both_networks_gets_a_gradient() -> None:
    for architecture in ("skip", "resnet"):
        net = small(architecture=architecture).train()
        net.discriminator(net(torch.randn(4, 8))).square().sum().backward()
        assert not [n for n, p in net.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]


def test_scenes_are_measured_by_the_network_that_counts_and_others_by_their_pixels() -> None:
    sizes: dict[str, Any] = {"image_size": 16, "latent_size": 8, "width": 64, "max_channels": 8}
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    features, logits = LitStyleGAN2(scenes=True, **sizes).features(x)
    assert features.shape == (2, 84) and logits is not None and logits.shape == (2, 5)
    features, logits = LitStyleGAN2(**sizes).features(x)
    assert features.shape == (2, 768) and logits is None
