"""StyleGAN2's synthesis and discriminator: sizes, noise, refusals."""

import pytest
import torch

from lit_models.gan.style_networks import Discriminator, Synthesis, channels_at, sides


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_a_network_has_a_style_for_each_layer_and_uses_it(architecture: str) -> None:
    torch.manual_seed(0)
    net = Synthesis(16, 3, 8, width=64, most=8, architecture=architecture)  # type: ignore[arg-type]
    assert net.num_layers == 7  # b4.conv1, two for each of 8 and 16, conv_last, torgb
    ws = torch.randn(2, 7, 8, requires_grad=True)
    images = net(ws)
    assert images.shape == (2, 3, 16, 16)
    images.square().sum().backward()
    assert ws.grad is not None and bool((ws.grad.square().sum((0, 2)) > 0).all())


def test_noise_is_random_constant_or_none_and_scaled_by_its_strength() -> None:
    torch.manual_seed(0)
    net, ws = Synthesis(8, 3, 8, width=64, most=8), torch.randn(2, 5, 8)
    assert torch.equal(net(ws, "random"), net(ws, "none"))  # the strength begins at zero
    for name, p in net.named_parameters():
        if name.endswith("noise_strength"):
            p.data.fill_(0.5)
    assert torch.equal(net(ws, "const"), net(ws, "const"))
    assert not torch.equal(net(ws, "random"), net(ws, "random"))
    assert not torch.equal(net(ws, "const"), net(ws, "none"))


def test_a_discriminator_s_logit_depends_on_its_group_only() -> None:
    torch.manual_seed(0)
    net, x = Discriminator(16, 3, 64, 8, group_size=2), torch.randn(4, 3, 16, 16)
    logits, other = net(x), net(torch.cat([x[:3], torch.randn(1, 3, 16, 16)]))
    assert logits.shape == (4,)
    torch.testing.assert_close(logits[[0, 2]], other[[0, 2]])  # sample i is in group i mod 2
    assert not torch.isclose(logits[1], other[1])


@pytest.mark.parametrize("size", [4, 24, 28])
def test_a_side_that_is_no_power_of_two_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"image_size is {size}: give a power of two from 8 on"):
        sides(size)


def test_channels_halve_with_each_doubling_up_to_a_limit() -> None:
    assert [channels_at(side, 512, 32) for side in (4, 8, 16, 32, 1024)] == [32, 32, 32, 16, 1]
