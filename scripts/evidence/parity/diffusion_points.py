"""The network for points, layer by layer; the loss of digits on the noisy pictures of diffusers' scheduler."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.diffusion.digits import LitDigits
from lit_models.diffusion.points import PointDenoiser
from scripts.evidence.parity.diffusion import diffusers
from scripts.evidence.verify import Check, Tensors

SIZE = 6


def randomized(net: nn.Module) -> Any:
    generator = torch.Generator().manual_seed(3)
    for parameter in net.parameters():
        with torch.no_grad():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return net.double()


def point_net() -> Any:
    return randomized(PointDenoiser(2, SIZE, num_blocks=2, num_classes=3))


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Points, levels, classes; the last one is "no class"."""
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, torch.tensor([0.0, 3.5, 40.0, 700.0], dtype=torch.float64), torch.tensor([0, 2, 1, 3])


def quantities(prediction: Tensor, named: Any) -> Tensors:
    prediction.square().sum().backward()
    return {"prediction": prediction.detach()} | {f"grad {name}": p.grad for name, p in named if p.grad is not None}


def our_points() -> Tensors:
    net = point_net()
    return quantities(net(*inputs()), net.named_parameters())


def written_points(shift_only: bool = False) -> Tensors:
    """One point at a time; ``shift_only``: the level shifts the hidden values and does not scale them."""
    w = {name: p.detach().clone().requires_grad_() for name, p in point_net().named_parameters()}

    def dense(name: str, h: Tensor) -> Tensor:
        return w[f"{name}.weight"] @ h + w[f"{name}.bias"]

    def silu(h: Tensor) -> Tensor:
        return h / (1 + (-h).exp())

    rows = []
    for x, t, y in zip(*inputs(), strict=True):
        rates = torch.tensor([10_000 ** (-k / (SIZE // 2)) for k in range(SIZE // 2)], dtype=torch.float64)
        level = torch.cat([(t * rates).cos(), (t * rates).sin()])
        condition = dense("time.linear_2", silu(dense("time.linear_1", level))) + w["classes.weight"][y]
        waves = [f(k * x) for f in (torch.sin, torch.cos) for k in (1, 2, 4, 8)]
        h = dense("enter", torch.cat([x, *waves]))
        for block in ("blocks.0", "blocks.1"):
            both = dense(f"{block}.scale_shift", silu(condition))
            scale = 0.0 * both[:SIZE] if shift_only else both[:SIZE]
            h = h + dense(f"{block}.second", silu(dense(f"{block}.first", h) * (1 + scale) + both[SIZE:]))
        rows.append(dense("leave", silu(h)))
    return quantities(torch.stack(rows), w.items())


def digits() -> Any:
    return randomized(LitDigits(in_channels=1, image_size=8, num_classes=10, widths=[8, 16], blocks=1, groups=4))


def pictures() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures in [0, 1], noise, levels, classes; class 10 is "no class"."""
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(3, 1, 8, 8, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, 1, 8, 8, generator=generator, dtype=torch.float64)
    return x, noise, torch.tensor([1, 400, 999]), torch.tensor([7, 10, 0])


def with_loss(loss: Tensor, net: nn.Module) -> Tensors:
    loss.backward()
    return {"loss": loss.detach()} | {
        f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None
    }


def our_digits() -> Tensors:
    task, (x, noise, t, y) = digits(), pictures()
    return with_loss(task.loss(task.encode(x), noise, t, y), task.net)


def their_digits(off_by_one: bool = False) -> Tensors:
    """Ho et al., algorithm 1, on diffusers' noisy pictures; ``off_by_one``: the network is told the level before."""
    task, (x, noise, t, y) = digits(), pictures()
    scheduler = diffusers().DDPMScheduler(1000, trained_betas=torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
    noisy = scheduler.add_noise(x * 2 - 1, noise, t)
    return with_loss((task.net(noisy, t - int(off_by_one), y) - noise).square().mean(), task.net)


CHECKS = [
    Check(
        "diffusion/points",
        "the network for points, layer by layer, one point at a time",
        "torch",
        our_points,
        written_points,
        partial(written_points, shift_only=True),
        "a level that shifts and does not scale",
        tolerance=1e-6,
        why="the features of a level are in single precision",
    ),
    Check(
        "diffusion/digits",
        "the loss of pictures and its gradients, on the noisy pictures of DDPMScheduler",
        "diffusers",
        our_digits,
        their_digits,
        partial(their_digits, off_by_one=True),
        "levels numbered from 1",
        tolerance=1e-5,
        why="the scheduler's betas are turned into single precision",
    ),
]
