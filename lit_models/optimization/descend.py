"""A point that descends a function: what an optimizer does, where it can be seen.

D2L 12.1 to 12.10 on functions of one and two numbers; Goodfellow 8.2. The point is the model's only parameter, a
batch is noise that tilts the function (D2L 12.4.1: a gradient with normal noise), so that any optimizer and schedule
of the project runs here as on a network. ``trajectory.png`` and ``trajectory.gif`` show the way.
Departs from the book: its functions update plain numbers in a loop of their own.

    dive fit optimization/descend                      Adam in Rosenbrock's valley, offline
    dive fit optimization/descend --model.optimizer lit_models.optimization.SGD --model.optimizer.lr 0.001
    dive fit optimization/momentum

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.optimization.surfaces import SURFACES
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

Name = Literal[
    "square", "bowl", "narrow_bowl", "cosh", "waves", "saddle", "rosenbrock", "beale", "himmelblau"
]  # fmt: skip


class Point(nn.Module):
    """A place on a surface. Noise (B, num_features) -> f(place) + noise . place (B, 1): zero noise is f itself.

    Args:
        num_features: Dimensions of the surface.
        surface: The function.
        start: Where the descent begins.

    Raises:
        UserError: The surface has other dimensions.
    """

    def __init__(
        self, num_features: int = 2, surface: Name = "rosenbrock", start: Sequence[float] = (-1.2, 1.0)
    ) -> None:
        super().__init__()
        self.surface = SURFACES[surface]
        wanted = len(self.surface.limits)
        if num_features != wanted or len(start) != wanted:
            raise UserError(
                f"the surface {surface} has {wanted} dimensions: give model.start {wanted} numbers and "
                f"data.num_features {wanted}"
            )
        self.place = nn.Parameter(torch.tensor([float(v) for v in start]))

    def forward(self, noise: Tensor) -> Tensor:
        return (self.surface.function(self.place[None]) + noise @ self.place)[:, None]


@trains(Point)
class LitDescend(Task):
    """The point trained. Batch: ``(noise,)``, noise (B, D).

    Logs ``train/loss``, ``val/loss`` and ``test/gap`` (f above its minimum; with the noise in training) and
    ``test/distance`` from the nearest minimum.

    Args:
        **task: See ``Task``.
    """

    net: Point
    output_means = "The value of the function at the place, tilted by the noise of the input."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.val_gap, self.test_gap, self.test_distance = MeanMetric(), MeanMetric(), MeanMetric()

    def position(self) -> Tensor:
        """Where the point is (D,)."""
        return self.net.place.detach()

    def limits(self) -> list[tuple[float, float]]:
        """(low, high) of each dimension, for the picture."""
        return self.net.surface.limits

    def heights(self, points: Tensor) -> Tensor:
        """The function above its minimum at points (N, D): (N,)."""
        return self.net.surface.function(points) - self.net.surface.lowest

    def distance(self) -> Tensor:
        """From the nearest minimum ()."""
        place = self.position()
        return (torch.tensor(self.net.surface.minima).to(place) - place).norm(dim=1).min()

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss = self(batch[0]).mean()
        self.record_train_loss(loss - self.net.surface.lowest, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.val_gap.update(self.heights(self.position()[None]))

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.test_gap.update(self.heights(self.position()[None]))
        self.test_distance.update(self.distance())

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_gap)

    def on_test_epoch_end(self) -> None:
        self.log("test/gap", self.test_gap)
        self.log("test/distance", self.test_distance)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``prediction`` (B, 1): the value for each row of noise."""
        return {"prediction": self(batch if isinstance(batch, Tensor) else batch[0])}
