"""Adversarial training: steps against the bare loop and the book's manner, R1 every 16 batches, modulated convolutions.

The pictures are random bytes, and the points the recipe's own: only speeds are measured. A step is one batch: one step
of each network.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lit_models.gan.dcgan import DCGAN
from lit_models.gan.style_layers import modulated_conv2d
from lit_models.gan.toy import ToyGAN
from scripts.evidence.benches import ours
from scripts.evidence.benches.diffusion import RandomPictures, random_pictures
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Adversarial networks",
    """\
A step is a batch. `DCGAN` is `gan/dcgan` as `dive fit` runs it, without the average of its weights, the shortest loop
with the same steps, and the manner of D2L 20.2. `points` is `gan/toy`. `lazy R1` is `gan/stylegan2` without the path
length's steps: R1 every 16 batches, never, and in each. `modulated convolution` is one of 32 channels on 16 samples
of 16 pixels, forward and backward.""",
    "samples",
    (
        Goal("DCGAN", "bare", 0.95, None, "two optimizers by hand, steps of tens of milliseconds"),
        Goal("DCGAN", "d2l", 1.1, None, "one pass of each network less, and whole batches"),
        Goal("points", "bare", 0.5, None, "the limit of manual optimization on the smallest step"),
        Goal("lazy R1", "without R1", 0.77, None, "a penalty every 16 batches costs at most 1.3 times the step"),
        Goal("modulated convolution", "grouped", 1.0, None, "scaled input and output, the CPU's default"),
    ),
)
DIGITS: dict[str, Any] = {"image_size": 16, "latent_size": 32, "width": 32}  # of gan/dcgan
ROWS, BATCH, RATE, BETAS = 4096, 32, 0.002, (0.5, 0.999)
TOY_ROWS, TOY_BATCH = 1000, 8  # of gan/toy
STEPS, TOY_STEPS, STYLE_STEPS, WARMUP = 30, 100, 32, 3
CHANNELS, PIXELS, SAMPLES = 32, 16, 16  # of a modulated convolution
Row = dict[str, Any]
Side = Callable[[Clock], Any]


def fit(clock: Clock, name: str, words: Sequence[str] = (), pictures: bool = True) -> None:
    """A recipe as ``dive fit`` runs it. Its length is in batches, since each network's step counts as a step."""
    data = f"{RandomPictures.__module__}.{RandomPictures.__name__}"
    own = ["--data", data, "--data.rows", str(ROWS)] if pictures else []
    seed = ["--seed_everything", str(torch.initial_seed())]
    _, model, found = build([name, *own, *words, *seed])
    ours.fit(model, found, clock, max_steps=-1, max_epochs=1, limit_train_batches=clock.total)


# -- the bare loop, and the book's ------------------------------------------------------------------------------------


def batches(rows: Tensor, size: int) -> Iterator[Tensor]:
    while True:
        for index in torch.randperm(len(rows)).split(size):
            if len(index) == size:
                yield rows.index_select(0, index)


def bare(
    net: Any, real: Iterator[Tensor], rates: tuple[float, float], betas: tuple[float, float], clock: Clock
) -> None:
    """The non-saturating loss, both networks' fused steps, the discriminator without gradients in the generator's."""
    both = [net.generator, net.discriminator]
    first, second = (
        torch.optim.Adam(part.parameters(), rate, betas, fused=True) for part, rate in zip(both, rates, strict=True)
    )
    for x in real:
        with torch.no_grad():
            fake = net.generator(torch.randn(len(x), *net.latent_shape))
        loss = F.softplus(-net.discriminator(x)).mean() + F.softplus(net.discriminator(fake)).mean()
        second.zero_grad()
        loss.backward()
        second.step()
        net.discriminator.requires_grad_(False)
        loss = F.softplus(-net.discriminator(net.generator(torch.randn(len(x), *net.latent_shape)))).mean()
        first.zero_grad()
        loss.backward()
        first.step()
        net.discriminator.requires_grad_(True)
        clock.tick(len(x))
        if clock.done:
            break


def bare_digits(clock: Clock) -> None:
    pictures, _ = random_pictures(ROWS, 1, 16)
    real = (x * (2 / 255) - 1 for x in batches(pictures, BATCH))
    bare(DCGAN(1, **DIGITS), real, (RATE, RATE), BETAS, clock)


def bare_points(clock: Clock) -> None:
    real = batches(torch.randn(TOY_ROWS, 2), TOY_BATCH)
    bare(ToyGAN(init_std=0.02), real, (0.005, 0.05), (0.9, 0.999), clock)


def book_digits(clock: Clock) -> None:
    """In the manner of D2L 20.2: samples put together one by one, binary cross-entropy, two passes of its generator."""
    pictures, _ = random_pictures(ROWS, 1, 16)
    data = DataLoader(TensorDataset(pictures * (2 / 255) - 1), BATCH, shuffle=True, drop_last=True)
    net: Any = DCGAN(1, **DIGITS)
    loss = nn.BCEWithLogitsLoss(reduction="sum")
    settings: Any = {"lr": RATE, "betas": BETAS}
    first = torch.optim.Adam(net.generator.parameters(), **settings)
    second = torch.optim.Adam(net.discriminator.parameters(), **settings)
    for (x,) in clock.batches(lambda: data):
        noise, ones, zeros = (
            torch.normal(0, 1, (len(x), *net.latent_shape)),
            torch.ones(len(x)),
            torch.zeros(len(x)),
        )
        second.zero_grad()
        fake = net.generator(noise)
        of_real, of_fake = net.discriminator(x), net.discriminator(fake.detach())
        ((loss(of_real, ones) + loss(of_fake, zeros)) / 2).backward()
        second.step()
        first.zero_grad()
        loss(net.discriminator(net.generator(noise)), ones).backward()
        first.step()
        clock.tick(len(x))


# -- modulated convolutions -------------------------------------------------------------------------------------------


def modulated(clock: Clock, grouped: bool) -> None:
    """Forward and backward of one, as a convolution with a group for each sample, or with scaled input and output."""
    x = torch.randn(SAMPLES, CHANNELS, PIXELS, PIXELS, requires_grad=True)
    weight, style = torch.randn(CHANNELS, CHANNELS, 3, 3, requires_grad=True), torch.randn(SAMPLES, CHANNELS)
    while not clock.done:
        found = modulated_conv2d(x, weight, style.requires_grad_(), grouped=grouped)
        torch.autograd.grad(found.square().mean(), [x, weight, style])
        clock.tick(SAMPLES)


def cases() -> dict[str, tuple[dict[str, Side], int]]:
    """The sides of each workload and their timed steps."""
    plain = ("--model.ema_half_life", "0")
    dcgan: dict[str, Side] = {
        "bare": bare_digits,
        "ours": partial(fit, name="gan/dcgan", words=plain),
        "d2l": book_digits,
    }
    toy: dict[str, Side] = {"bare": bare_points, "ours": partial(fit, name="gan/toy", pictures=False)}
    style = ("--model.path_weight", "0", "--data.in_channels", "3")
    lazy: dict[str, Side] = {
        "ours": partial(fit, name="gan/stylegan2", words=style),
        "without R1": partial(fit, name="gan/stylegan2", words=(*style, "--model.r1_gamma", "0")),
        "R1 in each step": partial(fit, name="gan/stylegan2", words=(*style, "--model.r1_interval", "1")),
    }
    convolution: dict[str, Side] = {
        "ours": partial(modulated, grouped=False),
        "grouped": partial(modulated, grouped=True),
    }
    return {
        "DCGAN": (dcgan, STEPS),
        "points": (toy, TOY_STEPS),
        "lazy R1": (lazy, STYLE_STEPS),
        "modulated convolution": (convolution, STEPS),
    }


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: int | None = None, warmup: int = WARMUP
) -> list[Row]:
    """Samples a second of each side in each turn."""
    torch.set_num_threads(threads)
    rows: list[Row] = []
    for workload, (sides, usual) in cases().items():
        rows += take_turns(workload, threads, sides, repeats, steps or usual, warmup, say)
    return rows
