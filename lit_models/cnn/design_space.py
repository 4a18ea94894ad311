"""A design space studied: many small networks drawn from a family, trained alike, and the distribution of their errors.

Radosavovic et al. 2020, "Designing Network Design Spaces". D2L 8.8, which describes the study without code.
One family is better than another if its curve, the fraction of networks with at most a given error, is above. All
networks cost about the same number of multiply-adds, as in the paper, and differ in depths, widths and group widths:

- ``any``: each stage is drawn independently;
- ``increasing`` / ``decreasing``: the same, with widths that only grow, or only shrink;
- ``regnet``: one line through the widths of all blocks, one group width (``lit_models/cnn/regnet.py``).

All networks get the same batches. The loss is the sum of their losses, so that each is trained independently.

    dive fit cnn/design_space        12 networks a family on 5,000 MNIST digits, offline; errors.png has the curves

The numbers they reach are in RESULTS.md.
"""

import math
import random
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from lit_models.cnn.regnet import AnyNet, stages_of_line
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.task import Task

Space = Literal["any", "increasing", "decreasing", "regnet"]
Stages = tuple[list[int], list[int], list[int]]
STEM_WIDTH = 8


def draw(space: Space, stages: int, chance: random.Random) -> Stages:
    """Depths, widths and group widths of one network of a family; its cost is not checked."""
    if space == "regnet":
        depth, group = chance.randint(stages, 3 * stages), chance.choice([4, 8])
        line = (depth, 8 * chance.randint(1, 3), chance.uniform(0, 12), chance.uniform(1.5, 3), group)
        return stages_of_line(*line)
    depths = [chance.randint(1, 3) for _ in range(stages)]
    widths = [8 * round(2 ** chance.uniform(0, 3)) for _ in range(stages)]  # 8 to 64, evenly in the logarithm
    if space != "any":
        widths.sort(reverse=space == "decreasing")
    return depths, widths, [chance.choice([4, 8]) for _ in range(stages)]


def multiply_adds(design: Stages, image_size: int, in_channels: int, num_classes: int) -> int:
    """Multiply-adds for one image, computed from the sizes."""
    side, channels = image_size, STEM_WIDTH
    total = side**2 * 9 * in_channels * STEM_WIDTH
    for depth, width, group in zip(*design, strict=True):
        for block in range(depth):
            before, side = side, math.ceil(side / 2) if block == 0 else side
            total += before**2 * channels * width + side**2 * (9 * width * group + width**2)
            total += side**2 * channels * width if block == 0 else 0  # the shortcut's projection
            channels = width
    return total + channels * num_classes


class DesignSpace(nn.Module):
    """Networks of one family and cost, side by side. (B, in_channels, S, S) -> (B, population, num_classes) logits.

    Args:
        space: The family.
        population: Number of networks.
        cost: Multiply-adds of a network in millions, kept to within a fifth; no two networks are alike.
        stages: Stages of each network: the image is halved in each. A line with another number of stages is redrawn.
        seed: Of the designs; the weights are drawn from the global one.
        in_channels, num_classes, image_size: Of the data.
    """

    def __init__(
        self,
        space: Space,
        population: int,
        cost: float,
        stages: int = 3,
        seed: int = 0,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
    ) -> None:
        super().__init__()
        chance = random.Random(f"{space} {seed}")
        self.designs: list[Stages] = []
        self.costs: list[int] = []
        for _ in range(1000 * population):
            if len(self.designs) == population:
                break
            design = draw(space, stages, chance)
            found = multiply_adds(design, image_size, in_channels, num_classes)
            new = len(design[0]) == stages and design not in self.designs
            if new and abs(found / (1e6 * cost) - 1) <= 0.2:
                self.designs.append(design)
                self.costs.append(found)
        if len(self.designs) < population:
            raise ValueError(f"cost is {cost}: hardly a network of the space {space!r} has so many multiply-adds")
        self.networks = nn.ModuleList(
            AnyNet(*design, in_channels, num_classes, STEM_WIDTH, "small") for design in self.designs
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([network(x) for network in self.networks], 1)


class SideBySide(nn.ModuleList):
    """The networks of several families. (B, C, S, S) -> (B, spaces * population, num_classes)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([family(x) for family in self], 1)


class LitDesignSpace(Task):
    """Trains families of networks and logs the errors of each: the median, the mean and the best of its networks.

    Batch: ``(x, y)``. ``val/loss`` is the mean over all networks; ``test/median_error``, ``test/mean_error`` and
    ``test/best_error`` are those of the first family, ``test/SPACE_median_error`` of each.

    Args:
        spaces: The families to compare.
        population, cost, stages: See ``DesignSpace``.
        in_channels, num_classes, image_size: Of the data.
        **task: See ``Task``.
    """

    def __init__(
        self,
        spaces: Sequence[Space] = ("regnet", "any"),
        population: int = 32,
        cost: float = 0.5,
        stages: int = 3,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.spaces = list(spaces)
        families = [
            DesignSpace(space, population, cost, stages, 0, in_channels, num_classes, image_size) for space in spaces
        ]
        self.net = SideBySide(families)
        self.designs = {space: family.designs for space, family in zip(self.spaces, families, strict=True)}
        #: Of each family, once an evaluation has ended: the error rate of each network (population,).
        self.errors: dict[str, Tensor] = {}
        self.val_loss = MeanMetric()
        self.accuracies: Any = nn.ModuleList(
            MulticlassAccuracy(num_classes, average="micro") for _ in range(population * len(self.spaces))
        )
        self.example_input = torch.zeros(1, in_channels, image_size, image_size)

    output_means = "Logits of each network: the mean of their softmax over dimension 2 gives the probabilities."

    def losses(self, logits: Tensor, y: Tensor) -> Tensor:
        """The cross-entropy of each network (spaces * population,)."""
        logits = at_least_float32(logits).transpose(1, 2)
        each = F.cross_entropy(logits, y[:, None].expand(-1, logits.shape[2]), reduction="none")
        return each.mean(0)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        losses = self.losses(self(x), y)
        self.record_train_loss(losses.mean(), len(x))
        return losses.sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x).float()
        self.val_loss.update(self.losses(logits, y).mean(), len(x))
        for network, accuracy in enumerate(self.accuracies):
            accuracy.update(logits[:, network], y)

    test_step = validation_step

    def end(self, stage: str) -> None:
        """Logs and keeps the errors."""
        self.log(f"{stage}/loss", self.val_loss.compute(), sync_dist=False)
        self.val_loss.reset()
        errors = 1 - torch.stack([accuracy.compute() for accuracy in self.accuracies])
        for accuracy in self.accuracies:
            accuracy.reset()
        self.errors = dict(zip(self.spaces, errors.chunk(len(self.spaces)), strict=True))
        for space, each in self.errors.items():
            self.log(f"{stage}/{space}_median_error", each.median(), sync_dist=False)
        first = self.errors[self.spaces[0]]
        self.log_dict(
            {
                f"{stage}/median_error": first.median(),
                f"{stage}/mean_error": first.mean(),
                f"{stage}/best_error": first.min(),
            }
        )

    def on_validation_epoch_end(self) -> None:
        self.end("val")

    def on_test_epoch_end(self) -> None:
        self.end("test")

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``label`` (B,) and ``probabilities`` (B, num_classes): the mean over all networks."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        probabilities = torch.softmax(self(x).float(), dim=2).mean(1)
        return {"label": probabilities.argmax(1), "probabilities": probabilities}
