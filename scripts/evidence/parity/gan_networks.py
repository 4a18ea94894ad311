"""Generators and discriminators against their layers written out."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from lit_models.gan.dcgan import DCGAN
from lit_models.gan.wgan_gp import WGANGP
from scripts.evidence.verify import Check, Tensors


def book_generator(in_channels: int, width: int, momentum: float) -> nn.Sequential:
    """The book's (D2L 20.2.2) for 64 pixels, its blocks written out."""
    sizes = [8 * width, 4 * width, 2 * width, width]
    layers: list[nn.Module] = []
    for k, (fan_in, fan_out) in enumerate(zip([12, *sizes], sizes, strict=False)):
        layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, *((2, 1) if k else (1, 0)), bias=False)]
        layers += [nn.BatchNorm2d(fan_out, momentum=momentum), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, in_channels, 4, 2, 1, bias=False), nn.Tanh()).double()


def book_discriminator(in_channels: int, width: int, slope: float, batch_norm: bool = True) -> nn.Sequential:
    sizes = [in_channels, width, 2 * width, 4 * width, 8 * width]
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Conv2d(fan_in, fan_out, 4, 2, 1, bias=not batch_norm)]
        layers += [nn.BatchNorm2d(fan_out)] * batch_norm + [nn.LeakyReLU(slope)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, bias=False)).double()


def networks() -> DCGAN:
    torch.manual_seed(6)
    return DCGAN(in_channels=2, latent_size=12, width=3).double()


def dcgan_quantities(generator: nn.Module, discriminator: nn.Module, book: bool) -> Tensors:
    torch.manual_seed(7)
    noise = torch.randn(4, 12, dtype=torch.float64)
    images = generator(noise[..., None, None] if book else noise)
    found = discriminator(images).flatten()
    F.softplus(-found).mean().backward()
    both = [*generator.parameters(), *discriminator.parameters()]
    grads: dict[str, Any] = {f"grad {k}": p.grad for k, p in enumerate(both)}
    running = {f"running {k}": b.double() for k, b in enumerate(generator.buffers())}
    return {"images": images.detach(), "logits": found.detach()} | grads | running


def our_dcgan() -> Tensors:
    net = networks()
    return dcgan_quantities(net.generator, net.discriminator, False)


def book_dcgan(slope: float = 0.2) -> Tensors:
    net = networks()
    both = book_generator(2, 3, 0.1), book_discriminator(2, 3, slope)
    for theirs, ours in zip(both, (net.generator, net.discriminator), strict=True):
        theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    return dcgan_quantities(*both, True)


def our_wgan_gp() -> Tensors:
    torch.manual_seed(6)
    net = WGANGP(in_channels=2, latent_size=12, width=3).double()
    return dcgan_quantities(net.generator, net.discriminator, False)


def written_wgan_gp(slope: float = 0.2) -> Tensors:
    torch.manual_seed(6)
    net = WGANGP(in_channels=2, latent_size=12, width=3).double()
    both = book_generator(2, 3, 0.1), book_discriminator(2, 3, slope, batch_norm=False)
    for theirs, ours in zip(both, (net.generator, net.discriminator), strict=True):
        theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    return dcgan_quantities(*both, True)


CHECKS = [
    Check(
        name="gan/dcgan",
        claim="both networks of a DCGAN of 64 pixels against the book's layers, with gradients and running statistics",
        package="torch",
        ours=our_dcgan,
        reference=book_dcgan,
        control=partial(book_dcgan, slope=0.01),
        mistake="torch's default slope of the leaky ReLU, 0.01",
    ),
    Check(
        name="gan/wgan_gp",
        claim="generator and critic of a WGAN-GP of 64 pixels against their layers written out, with gradients",
        package="torch",
        ours=our_wgan_gp,
        reference=written_wgan_gp,
        control=partial(written_wgan_gp, slope=0.01),
        mistake="torch's default slope of the leaky ReLU, 0.01",
    ),
]
