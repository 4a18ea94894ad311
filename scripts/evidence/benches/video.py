"""Video: clips made by batch, R(2+1)D's step, torchvision's network, and an encoder that sees a tenth of the patches.

``clips`` are batches of 32 moving digits of 8 frames of 24 pixels: ours, and one frame after the other with Pillow.
``R(2+1)D`` is ``video/resnet3d`` as ``dive fit`` runs it against the shortest loop on the same clips; ``R(2+1)D, wide``
is the network alone, ours and torchvision's, 10 layers of 64 channels and more. ``VideoMAE's encoder`` reads clips of
16 frames of 64 pixels: what is visible of them (``ours``), or all.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.video.moving_digits import LARGEST, SMALLEST, MovingDigits, motions, walk
from lit_models.video.resnet3d import VideoResNet
from lit_models.video.videomae import VideoMAE
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Video",
    """\
Moving digits of 8 frames of 24 pixels, 32 clips a batch, drawn by batch or frame by frame with Pillow;
`video/resnet3d` as `dive fit` runs it against the shortest loop; the network with 64 channels, ours and torchvision's;
VideoMAE's encoder on the visible tenth of the patches, or on all, forward and backward.""",
    "clips",
    (
        Goal("clips", "a frame at a time", 20.0, None, "a batch of clips is one lookup"),
        Goal("R(2+1)D", "bare", 0.95, None, "steps of tens of milliseconds"),
        Goal("R(2+1)D, wide", "torchvision", 1.0, None, "the same operations"),
        Goal("VideoMAE's encoder", "all patches", 2.0, None, "a tenth of the patches"),
    ),
)
BATCH, CLASSES, BLOCKS = 32, 12, [1, 1, 1, 1]
Row = dict[str, Any]


def measure(threads: int, repeats: int, say: Callable[[str], None], steps: int = 20) -> list[Row]:
    """Clips a second of each side in each turn; ``steps`` are batches."""
    torch.set_num_threads(threads)
    data = MovingDigits(batch_size=BATCH)
    data.splits = data.load("fit")
    clips = {"ours": partial(by_batch, data), "a frame at a time": partial(by_frame, data)}
    steps_of: dict[str, Callable[[Clock], None]] = {"ours": train_ours, "bare": partial(train_bare, data)}
    wide = {"ours": partial(train_wide, our_network), "torchvision": partial(train_wide, other_network)}
    encoder = {"ours": partial(encode, 0.9), "all patches": partial(encode, 0.0)}
    return [
        *take_turns("clips", threads, clips, repeats, steps, 2, say),
        *take_turns("R(2+1)D", threads, steps_of, repeats, steps, 3, say),
        *take_turns("R(2+1)D, wide", threads, wide, repeats, max(2, steps // 5), 1, say),
        *take_turns("VideoMAE's encoder", threads, encoder, repeats, max(2, steps // 5), 1, say),
    ]


def rows_of(data: MovingDigits) -> tuple[Tensor, ...]:
    """Digits, starts and classes of a batch."""
    index = torch.randint(len(data.splits["train"][0]), (BATCH,))
    return tuple(part[index] for part in data.splits["train"])


# -- clips ------------------------------------------------------------------------------------------------------------


def by_batch(data: MovingDigits, clock: Clock) -> None:
    while not clock.done:
        data.clips(rows_of(data))
        clock.tick(BATCH)


def by_frame(data: MovingDigits, clock: Clock) -> None:
    """The digit's picture is resized, turned and pasted; what leaves the frame on one side enters on the other."""
    size = data.image_size
    while not clock.done:
        digit, start, y = rows_of(data)
        states = walk(start, motions(size)[y], data.num_frames).numpy()
        for k in range(BATCH):
            picture = Image.fromarray(data.digits[digit[k]].numpy())
            np.stack([frame(picture, state, size) for state in states[k]])
        clock.tick(BATCH)


def frame(picture: Image.Image, state: np.ndarray, size: int) -> np.ndarray:
    """One frame (size, size) of a digit at a place, of an angle and a size on their circles."""
    side = max(1, round(SMALLEST * (LARGEST / SMALLEST) ** float(state[3]) * size))
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    turned = small.rotate(-360 * float(state[2]), Image.Resampling.BILINEAR)
    canvas = Image.new("L", (size, size))
    canvas.paste(turned, ((size - side) // 2, (size - side) // 2))
    shift = [math.floor(float(state[1 - axis]) * size) - size // 2 for axis in (0, 1)]
    return np.roll(np.asarray(canvas), shift, (0, 1)) / 255


# -- networks ---------------------------------------------------------------------------------------------------------


def train_ours(clock: Clock) -> None:
    _, model, data = build(["video/resnet3d", "--model.lr_scheduler", "null", "--data.batch_size", str(BATCH)])
    ours.fit(model, data, clock)


def train_bare(data: MovingDigits, clock: Clock) -> None:
    """The recipe's network and optimizer on clips that are drawn in the same way."""
    net = VideoResNet(1, CLASSES, "r2plus1d", 8, BLOCKS)
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, nesterov=True, weight_decay=5e-4, fused=True)
    while not clock.done:
        x, y = data.clips(rows_of(data))
        step(net, optimizer, x, y)
        clock.tick(BATCH)


def our_network() -> nn.Module:
    return VideoResNet(3, CLASSES, "r2plus1d", 64, BLOCKS)


def other_network() -> nn.Module:
    from torchvision.models.video import resnet

    makers = [resnet.Conv2Plus1D] * 4
    return resnet.VideoResNet(resnet.BasicBlock, makers, BLOCKS, resnet.R2Plus1dStem, num_classes=CLASSES)


def train_wide(network: Callable[[], nn.Module], clock: Clock) -> None:
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, fused=True)
    x, y = torch.rand(8, 3, 8, 32, 32), torch.randint(CLASSES, (8,))
    while not clock.done:
        step(net, optimizer, x, y)
        clock.tick(len(x))


def step(net: nn.Module, optimizer: Any, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(net(x), y).backward()
    optimizer.step()


def encode(hidden: float, clock: Clock) -> None:
    """The encoder forward and backward, of the patches that a fraction hidden leaves."""
    net = VideoMAE(3, 16, 64, 8, 2, hidden_size=192, num_layers=6, num_heads=3, ffn_size=768, decoder_layers=1)
    x = torch.rand(4, 3, 16, 64, 64)
    tubes = net.tubes(len(x), hidden, torch.Generator().manual_seed(0)) if hidden else None
    while not clock.done:
        net.videomae(x, tubes).square().mean().backward()
        clock.tick(len(x))
