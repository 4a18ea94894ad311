"""Adversarial training against independent implementations: losses, penalties, averages, a whole run."""

from collections.abc import Callable
from functools import partial
from tempfile import gettempdir
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lit_models.gan.toy import LitToyGAN
from lit_models.tasks.adversarial_losses import discriminator_loss, generator_loss, gradient_penalty, r1
from lit_models.tasks.two_networks import move_average
from scripts.evidence.verify import Check, Tensors

# -- losses ---------------------------------------------------------------------------------------------------------


def logits() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    both = 3 * torch.randn(2, 16, dtype=torch.float64)
    return both[0].requires_grad_(True), both[1].requires_grad_(True)


def our_losses() -> Tensors:
    real, fake = logits()
    found: Tensors = {}
    for name in ("non_saturating", "hinge"):
        d, g = discriminator_loss(name, real, fake), generator_loss(name, fake)  # type: ignore[arg-type]
        slopes = torch.autograd.grad(d, (real, fake)), torch.autograd.grad(g, fake)
        found |= {
            f"{name} d": d,
            f"{name} g": g,
            f"grad {name} d": torch.cat(slopes[0]),
            f"grad {name} g": slopes[1][0],
        }
    return found


def torch_losses(saturating: bool = False) -> Tensors:
    """By torch's binary cross-entropy and hinge losses."""
    real, fake = logits()
    one, zero = torch.ones_like(real), torch.zeros_like(fake)
    bce = F.binary_cross_entropy_with_logits
    hinge = partial(F.hinge_embedding_loss, margin=1.0)
    losses = {
        "non_saturating d": bce(real, one) + bce(fake, zero),
        "non_saturating g": -bce(fake, zero) if saturating else bce(fake, one),
        "hinge d": hinge(real, -one) + hinge(-fake, -one),
        "hinge g": -fake.mean(),
    }
    found: Tensors = dict(losses)
    for name, loss in losses.items():
        of = (real, fake) if name.endswith("d") else (fake,)
        found[f"grad {name}"] = torch.cat(torch.autograd.grad(loss, of, retain_graph=True))
    return found


# -- penalties ------------------------------------------------------------------------------------------------------


class Critic(nn.Module):
    """Two dense layers, so that the gradient by the input can be written down."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.second = nn.Linear(6, 8).double(), nn.Linear(8, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x.flatten(1))))[:, 0]

    def input_gradient(self, x: Tensor) -> Tensor:
        """d f / d x = W1^T (w2 (1 - tanh(W1 x + b)^2)), by hand: (B, 6)."""
        hidden = torch.tanh(self.first(x.flatten(1)))
        return (self.second.weight * (1 - hidden.square())) @ self.first.weight


def penalized(value: Callable[[Critic, Tensor, Tensor], Tensor]) -> Tensors:
    net = Critic()
    torch.manual_seed(3)
    real, fake = torch.randn(2, 5, 1, 2, 3, dtype=torch.float64)
    torch.manual_seed(4)  # of the points between
    loss = value(net, real, fake)
    loss.backward()
    return {"penalty": loss.detach()} | {
        f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None and name != "second.bias"
    }


def our_penalty(net: Critic, real: Tensor, fake: Tensor) -> Tensor:
    return gradient_penalty(net, real, fake)


def penalty_by_hand(net: Critic, real: Tensor, fake: Tensor, of_batch: bool = False) -> Tensor:
    weight = torch.rand(len(real), 1, 1, 1, dtype=torch.float64)
    gradient = net.input_gradient(weight * real + (1 - weight) * fake)
    return (gradient.norm() - 1).square() if of_batch else (gradient.norm(dim=1) - 1).square().mean()


def r1_by_hand(net: Critic, real: Tensor, fake: Tensor, of_pixels: bool = False) -> Tensor:
    squares = net.input_gradient(real).square()
    return squares.mean() if of_pixels else squares.sum(1).mean()


# -- averages -------------------------------------------------------------------------------------------------------


def averaged(step: Callable[[nn.Module, nn.Module], None]) -> Tensors:
    torch.manual_seed(5)

    def block() -> nn.Module:
        return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).double()

    net, average = block(), block()
    average.load_state_dict(net.state_dict())
    for _ in range(4):
        net(torch.randn(4, 2, 6, 6, dtype=torch.float64))
        with torch.no_grad():
            for p in net.parameters():
                p.add_(torch.randn_like(p))
        step(average, net)
    return {name: value.double() for name, value in average.state_dict().items()}


def torch_average(average: nn.Module, net: nn.Module, buffers: bool = True) -> None:
    from torch.optim.swa_utils import get_ema_avg_fn

    mean = get_ema_avg_fn(0.75)
    with torch.no_grad():
        for mine, its in zip(average.parameters(), net.parameters(), strict=True):
            mine.copy_(mean(mine, its, 1))  # type: ignore[arg-type]
        for ours, its_own in zip(average.buffers(), net.buffers(), strict=True):
            if buffers:
                ours.copy_(its_own)


# -- a run ------------------------------------------------------------------------------------------------------------


def toy() -> LitToyGAN:
    torch.manual_seed(8)
    return LitToyGAN(optimizer=partial(torch.optim.Adam, lr=0.01), generator_sizes=(4,)).double()


def points() -> list[Tensor]:
    return list(torch.randn(5, 6, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64))


def weights_of(net: nn.Module) -> Tensors:
    return {name: p.detach().clone() for name, p in net.named_parameters()}


def our_run() -> Tensors:
    """The weights after five batches under a Trainer."""
    model, quiet = toy(), dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    settings: dict[str, Any] = {"accelerator": "cpu", "precision": "64-true", "enable_checkpointing": False, **quiet}
    trainer = Trainer(max_epochs=1, limit_val_batches=0, default_root_dir=gettempdir(), **settings)
    rows: Any = [(x,) for x in points()]
    torch.manual_seed(10)
    trainer.fit(model, DataLoader(rows, batch_size=None, generator=torch.Generator()))
    return weights_of(model.net)


def book_run(saturating: bool = False) -> Tensors:
    """The book's loop (D2L 20.1), with means in place of sums, and new noise for the generator's step."""
    net: Any = toy().net
    of_g, of_d = (torch.optim.Adam(n.parameters(), 0.01) for n in (net.generator, net.discriminator))
    bce = F.binary_cross_entropy_with_logits
    one, zero = torch.ones(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    torch.manual_seed(10)
    for real in points():
        of_d.zero_grad()
        fake = net.generator(torch.randn(6, 2, dtype=torch.float64)).detach()
        (bce(net.discriminator(real), one) + bce(net.discriminator(fake), zero)).backward()
        of_d.step()
        of_g.zero_grad()
        found = net.discriminator(net.generator(torch.randn(6, 2, dtype=torch.float64)))
        (-bce(found, zero) if saturating else bce(found, one)).backward()
        of_g.step()
    return weights_of(net)


CHECKS = [
    Check(
        name="gan/toy",
        claim="the weights of both networks after five batches against the book's loop in plain torch",
        package="torch",
        ours=our_run,
        reference=book_run,
        control=partial(book_run, saturating=True),
        mistake="the generator minimizes log(1 - D), which saturates",
        without="gradients: the weights that they lead to are compared",
    ),
    Check(
        name="gan/losses",
        claim="non-saturating and hinge losses of both networks against torch's cross-entropy and hinge",
        package="torch",
        ours=our_losses,
        reference=torch_losses,
        control=partial(torch_losses, saturating=True),
        mistake="the generator minimizes log(1 - D), which saturates",
    ),
    Check(
        name="gan/gradient_penalty",
        claim="the gradient penalty and its gradients against a network whose input gradient is written down",
        package="torch",
        ours=partial(penalized, our_penalty),
        reference=partial(penalized, penalty_by_hand),
        control=partial(penalized, partial(penalty_by_hand, of_batch=True)),
        mistake="the norm of the whole batch's gradient",
    ),
    Check(
        name="gan/r1",
        claim="R1 and its gradients against a network whose input gradient is written down",
        package="torch",
        ours=partial(penalized, lambda net, real, fake: r1(net, real)),
        reference=partial(penalized, r1_by_hand),
        control=partial(penalized, partial(r1_by_hand, of_pixels=True)),
        mistake="the mean over pixels, not their sum",
    ),
    Check(
        name="gan/average",
        claim="averaged weights and copied running statistics against torch's average",
        package="torch",
        ours=partial(averaged, partial(move_average, keep=0.75)),
        reference=partial(averaged, torch_average),
        control=partial(averaged, partial(torch_average, buffers=False)),
        mistake="running statistics stay those of the beginning",
        without="gradients: an average has none",
    ),
]
