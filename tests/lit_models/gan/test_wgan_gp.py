"""WGAN-GP: the paper's settings, and a critic whose logits are independent."""

import torch

from lit_models.gan.wgan_gp import WGANGP, LitWGANGP


def test_the_paper_s_settings_are_the_defaults() -> None:
    model = LitWGANGP(in_channels=1, image_size=16, latent_size=8, width=2)
    assert (model.loss, model.gradient_penalty, model.critic_steps) == ("wasserstein", 10.0, 5)


def test_a_logit_does_not_depend_on_the_other_images_of_the_batch() -> None:
    """In training mode: batch normalization would mix them, and the penalty's gradient of each image with them."""
    net = WGANGP(1, 16, latent_size=8, width=2).train()
    images = torch.randn(4, 1, 16, 16)
    torch.testing.assert_close(net.discriminator(images)[:1], net.discriminator(images[:1]))


def test_every_parameter_of_each_network_gets_a_gradient() -> None:
    torch.manual_seed(0)
    net = WGANGP(1, 16, num_classes=3, latent_size=8, width=2, conditional=True)
    given = torch.tensor([0, 1, 2, 0])
    net.discriminator(net(torch.randn(4, 8), given), given).square().sum().backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
