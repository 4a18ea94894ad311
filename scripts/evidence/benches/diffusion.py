"""Diffusion of digits at 16 pixels: training against the bare loop, the U-Net and 50 steps of DDIM against diffusers'.

The pictures are random bytes: only speeds are measured. ``loss`` is that of the network after the timed steps, at fixed
noise levels in single precision, so that bf16 (autocast, channels-last) can be judged by more than its speed.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.vision.images import ImageTensors
from lit_models.diffusion.digits import LitDigits
from lit_models.diffusion.unet import UNet
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Diffusion",
    """\
Digits of 16 pixels, the U-Net of `diffusion/digits`. `diffusion` is the recipe as `dive fit` runs it, without the
average of its weights, and the bare loop with the same steps, clipping included; `ours bf16` is in autocast and
channels-last order. The final loss is that after the same number of steps, measured in single precision. `U-Net` is
forward and backward of the same weights in ours and in diffusers' `UNet2DModel`; `50 steps of DDIM` makes 16 pictures
with them, theirs in `DDIMPipeline`.""",
    "samples",
    (
        Goal("diffusion", "bare", 0.95, None, "steps of tens of milliseconds"),
        Goal("U-Net", "diffusers", 1.0, None, "forward and backward of the same weights"),
        Goal("50 steps of DDIM", "diffusers", 1.1, None, "the same U-Net in its pipeline"),
    ),
)
RECIPE = "diffusion/digits"
ROWS, BATCH, SIDE, CLASSES, WIDTHS, RATE, CLIP = 4096, 32, 16, 10, (16, 32, 32), 0.002, 1.0  # the recipe's
STEPS, WARMUP = 30, 3
DDIM_STEPS, DDIM_ROWS = 50, 16
Row = dict[str, Any]
Side = Callable[[Clock], Any]


class RandomPictures(ImageTensors):
    """Random bytes of the size that is asked for.

    Args:
        rows: Pictures of the train split.
        **images: See ``ImageTensors``.
    """

    def __init__(
        self, rows: int = ROWS, num_classes: int = CLASSES, in_channels: int = 1, image_size: int = SIDE, **images: Any
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        self.rows = rows

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        train = random_pictures(self.rows, self.in_channels, self.image_size)
        return {"train": train, "val": tuple(t[:1] for t in train)}


@cache
def random_pictures(rows: int, channels: int, side: int) -> tuple[Tensor, Tensor]:
    """Pictures (rows, channels, side, side) uint8 and classes (rows,), the same in every call."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (rows, channels, side, side), dtype=torch.uint8, generator=generator)
    return pictures, torch.randint(CLASSES, (rows,), generator=generator)


def recipe(*words: str) -> tuple[Any, Any]:
    """The recipe's model, and random pictures."""
    data = ["--data", f"{RandomPictures.__module__}.{RandomPictures.__name__}", "--data.image_size", str(SIDE)]
    seed = ["--seed_everything", str(torch.initial_seed())]  # the turn's, as for the bare loop
    _, model, pictures = build([RECIPE, *data, "--data.batch_size", str(BATCH), *seed, *words])
    return model, pictures


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    pictures, classes = random_pictures(ROWS, 1, SIDE)
    while True:
        for index in torch.randperm(ROWS).split(BATCH):
            yield pictures.index_select(0, index) * (1 / 255), classes.index_select(0, index)


# -- training ---------------------------------------------------------------------------------------------------------


def final_loss(model: Any) -> float:
    """The loss of 256 pictures at levels spread evenly, in single precision."""
    pictures, classes = (t[:256] for t in random_pictures(ROWS, 1, SIDE))
    data, generator = model.eval().encode(pictures / 255), model.generator(0)
    noise = torch.randn(data.shape, generator=generator)
    with torch.no_grad():
        return float(model.loss(data, noise, model.even_levels(256, generator), classes))


def train_ours(clock: Clock, bf16: bool = False) -> float:
    model, data = recipe()
    model = model.to(memory_format=torch.channels_last) if bf16 else model
    ours.fit(model, data, clock, gradient_clip_val=CLIP, precision="bf16-mixed" if bf16 else "32-true")
    return final_loss(model)


def train_bare(clock: Clock) -> float:
    """The same network and steps in the shortest loop, with the fused optimizer. v is what is predicted."""
    model = LitDigits(image_size=SIDE, num_classes=CLASSES, widths=WIDTHS, schedule="cosine", prediction="v")
    net, a, s = model.net, model.schedule.a.float(), model.schedule.s.float()
    optimizer = torch.optim.Adam(net.parameters(), RATE, fused=True)
    for x, y in batches():
        data = 2 * x - 1
        t, noise = torch.randint(len(a), (len(x),)), torch.randn_like(data)
        near, far = a[t, None, None, None], s[t, None, None, None]
        y = torch.where(torch.rand(len(x)) < 0.1, CLASSES, y)
        loss = (net(near * data + far * noise, t, y) - (near * noise - far * data)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        clock.tick(len(x))
        if clock.done:
            break
    return final_loss(model)


# -- against diffusers ------------------------------------------------------------------------------------------------


@cache
@torch.inference_mode(False)
def networks() -> tuple[UNet, Any]:
    """Ours and diffusers', of equal weights, without classes.

    Raises:
        RuntimeError: They predict different numbers.
    """
    from scripts.evidence.parity.diffusion import diffusers

    torch.manual_seed(0)
    mine = UNet(1, SIDE, widths=WIDTHS)
    levels = len(WIDTHS)
    theirs = diffusers().UNet2DModel(
        sample_size=SIDE,
        in_channels=1,
        out_channels=1,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * (levels - 1) + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * (levels - 1),
        norm_num_groups=8,
        attention_head_dim=8,
    )
    theirs.load_state_dict(mine.state_dict())
    x, t = torch.randn(2, 1, SIDE, SIDE), torch.tensor([3, 700])
    with torch.no_grad():
        if not torch.allclose(mine(x, t), theirs(x, t).sample, atol=1e-4):
            raise RuntimeError("the U-Nets predict different numbers")
    return mine, theirs


def unet_steps(clock: Clock, package: bool) -> None:
    """Forward and backward."""
    net: Any = networks()[package]
    for x, _ in batches():
        t = torch.randint(1000, (len(x),))
        found = net(x, t).sample if package else net(x, t)
        net.zero_grad()
        found.square().mean().backward()
        clock.tick(len(x))
        if clock.done:
            break


@torch.inference_mode()
def sample_ours(clock: Clock) -> None:
    model = LitDigits(net=networks()[0], image_size=SIDE, sampler="ddim", spacing="leading").eval()
    while not clock.done:
        *_, pictures = model.sample((DDIM_ROWS, 1, SIDE, SIDE), steps=DDIM_STEPS)
        clock.tick(len(pictures))


def sample_theirs(clock: Clock) -> None:
    """diffusers' pipeline without its progress bar."""
    from scripts.evidence.parity.diffusion import diffusers

    package = diffusers()
    pipeline = package.DDIMPipeline(networks()[1], package.DDIMScheduler(1000))
    pipeline.set_progress_bar_config(disable=True)
    while not clock.done:
        found = pipeline(batch_size=DDIM_ROWS, num_inference_steps=DDIM_STEPS, output_type="np")
        clock.tick(len(found.images))


def cases() -> dict[str, tuple[dict[str, Side], int]]:
    """The sides of each workload and their timed steps."""
    train: dict[str, Side] = {"bare": train_bare, "ours": train_ours, "ours bf16": partial(train_ours, bf16=True)}
    step: dict[str, Side] = {"ours": partial(unet_steps, package=False), "diffusers": partial(unet_steps, package=True)}
    return {
        "diffusion": (train, STEPS),
        "U-Net": (step, STEPS),
        "50 steps of DDIM": ({"ours": sample_ours, "diffusers": sample_theirs}, 3),
    }


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: int | None = None, warmup: int = WARMUP
) -> list[Row]:
    """Pictures a second of each side in each turn, and of training the loss it reached."""
    torch.set_num_threads(threads)
    rows: list[Row] = []
    for workload, (sides, usual) in cases().items():
        first = min(warmup, usual)
        rows += take_turns(workload, threads, sides, repeats, steps or usual, first, say)
    return rows
