"""Generators and discriminators against their layers written out."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.gan.dcgan import DCGAN
from lit_models.gan.pairs import LitPairs
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


def spectral_critic() -> DCGAN:
    torch.manual_seed(6)
    return DCGAN(2, 16, latent_size=4, width=3, batch_norm=False, spectral_norm=True).double()


def spectral_quantities(logits: Tensor, net: DCGAN) -> Tensors:
    logits.square().sum().backward()
    return {"logits": logits.detach()} | {
        f"grad {name}": p.grad for name, p in net.discriminator.named_parameters() if p.grad is not None
    }


def spectral_inputs() -> Tensor:
    torch.manual_seed(7)
    return torch.randn(4, 2, 16, 16, dtype=torch.float64)


def our_spectral_norm() -> Tensors:
    """After so many steps of the power iteration that it has converged."""
    net, x = spectral_critic(), spectral_inputs()
    with torch.no_grad():
        for _ in range(1000):
            for layer in (*net.discriminator.features, net.discriminator.head):
                _ = getattr(layer, "weight", None)  # an access is a step, in training
    return spectral_quantities(net.eval().discriminator(x), net)


def written_spectral_norm(order: float | str = 2) -> Tensors:
    """Each kernel, as a matrix, divided by its largest singular value."""
    net, x = spectral_critic(), spectral_inputs()
    layers: list[Any] = [m for m in (*net.discriminator.features, net.discriminator.head) if isinstance(m, nn.Conv2d)]
    for k, layer in enumerate(layers):
        weight = layer.parametrizations.weight.original
        weight = weight / torch.linalg.matrix_norm(weight.flatten(1), order)  # type: ignore[arg-type]
        last = k == len(layers) - 1
        x = F.conv2d(x, weight) if last else F.leaky_relu(F.conv2d(x, weight, layer.bias, 2, 1), 0.2)
    return spectral_quantities(x.flatten(), net)


def pair_logits() -> Tensor:
    """Of 500 samples, in which all hundred pairs are found, some much more often than others."""
    generator = torch.Generator().manual_seed(8)
    favored = torch.linspace(0, 1.2, 100, dtype=torch.float64)
    return torch.randn(500, 100, generator=generator, dtype=torch.float64) + favored


def our_pairs() -> Tensors:
    rows = {name: torch.randn(500, 2) for name in ("real", "fake", "real_logits", "fake_logits")}
    logits = pair_logits()
    found = LitPairs(in_channels=2, image_size=16, latent_size=2, width=2).measures(
        rows | {"fake_classes": logits, "real_classes": logits}
    )
    return {"modes": found["modes"].double(), "divergence": found["kl_uniform"]}


def scipy_pairs(exchanged: bool = False) -> Tensors:
    """``exchanged``: the divergence of equal frequencies from those of the samples."""
    from scipy.stats import entropy

    labels, counts = pair_logits().argmax(1).unique(return_counts=True)
    whole = torch.full((100,), 1e-12, dtype=torch.float64).index_put((labels,), counts.double())
    both = (torch.ones(100, dtype=torch.float64), whole) if exchanged else (whole, torch.ones(100, dtype=torch.float64))
    divergence = torch.tensor(entropy(both[0].numpy(), both[1].numpy()), dtype=torch.float64)
    return {"modes": torch.tensor(float(len(labels)), dtype=torch.float64), "divergence": divergence}


CHECKS = [
    Check(
        name="gan/pairs",
        claim="modes among samples, and the divergence of their frequencies from equal ones",
        package="scipy",
        ours=our_pairs,
        reference=scipy_pairs,
        control=partial(scipy_pairs, exchanged=True),
        mistake="the divergence the other way round",
        without="gradients: measures have none",
    ),
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
    Check(
        name="gan/spectral_norm",
        claim="a discriminator with spectral normalization against kernels divided by their largest singular value",
        package="torch",
        ours=our_spectral_norm,
        reference=written_spectral_norm,
        control=partial(written_spectral_norm, order="fro"),
        mistake="the Frobenius norm",
        tolerance=1e-8,
        why="the power iteration converges to the singular value",
    ),
]
