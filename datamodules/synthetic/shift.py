"""Training data that differ from the data the model is for: covariate shift and label shift. D2L 4.7.

Training and validation rows come from a source distribution, test rows from a target distribution. The model
may use unlabeled inputs of the target, ``target_x``, which are not test rows. The data is drawn from the run's seed, so
that several seeds show how reliably a correction helps, unless ``data_seed`` fixes it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule, global_seed


class ShiftedData(TensorDataModule):
    """The base of both kinds of shift: four samples, of which one has no labels.

    Args:
        num_train, num_val: Rows from the source.
        num_target: Unlabeled rows from the target, as ``target_x`` (num_target, num_features) after ``setup``.
        num_test: Rows from the target.
        data_seed: Seed of the data; None means the run's seed.
        **loader: See ``TensorDataModule``.
    """

    target_x: Tensor

    def __init__(
        self,
        num_train: int = 200,
        num_val: int = 200,
        num_target: int = 200,
        num_test: int = 1000,
        data_seed: int | None = None,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.sizes = {"train": num_train, "val": num_val, "target": num_target, "test": num_test}
        self.data_seed = data_seed

    def draw(self, rows: int, target: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows of the source or the target: x (N, num_features), y (N,)."""
        raise NotImplementedError

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(global_seed() if self.data_seed is None else self.data_seed)
        drawn = {name: self.draw(n, name in ("target", "test"), generator) for name, n in self.sizes.items()}
        self.target_x = drawn.pop("target")[0]
        return {**drawn, "predict": drawn["test"][:1]}


class CovariateShift(ShiftedData):
    """A cubic trained on the right side and tested on the left (Shimodaira 2000). A batch is x (B, 1), y (B,).

    y = x^3 - x + noise everywhere; x ~ N(0.5, 0.5^2) in the source, N(0, 0.3^2) in the target. A line that fits one
    does not fit the other. The best rmse of a line on the target combines ``noise`` and the distance between cubic and
    line: sqrt(0.3^2 + 6 * 0.3^6) = 0.307.

    Args:
        num_features: Length of x, which is 1.
        source, target: Mean and standard deviation of x.
        noise: Standard deviation of the noise.
        **samples: See ``ShiftedData``.
    """

    links = ("num_features",)

    def __init__(
        self,
        num_features: int = 1,
        source: Sequence[float] = (0.5, 0.5),
        target: Sequence[float] = (0.0, 0.3),
        noise: float = 0.3,
        **samples: int | None,
    ) -> None:
        super().__init__(**samples)  # type: ignore[arg-type]
        self.num_features = num_features
        self.source, self.target = tuple(source), tuple(target)
        self.noise = noise

    def draw(self, rows: int, target: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        mean, std = self.target if target else self.source
        x = mean + std * torch.randn(rows, 1, generator=generator)
        return x, (x**3 - x)[:, 0] + self.noise * torch.randn(rows, generator=generator)


class LabelShift(ShiftedData):
    """Three overlapping clusters in the plane whose class probabilities change. A batch is x (B, 2), y (B,).

    The best possible accuracy is that of Bayes' rule with the target's probabilities (``best_accuracy``).

    Args:
        num_classes, num_features: 3 and 2; linked to the model's arguments of the same name.
        source, target: Probabilities of the classes.
        spread: Standard deviation of each cluster; their centers are sqrt(3) apart.
        **samples: See ``ShiftedData``.

    Raises:
        UserError: The probabilities do not sum to 1, or their number is not ``num_classes``.
    """

    links = ("num_classes", "num_features")

    def __init__(
        self,
        num_classes: int = 3,
        num_features: int = 2,
        source: Sequence[float] = (0.7, 0.2, 0.1),
        target: Sequence[float] = (0.1, 0.2, 0.7),
        spread: float = 0.8,
        **samples: int | None,
    ) -> None:
        super().__init__(**samples)  # type: ignore[arg-type]
        for name, priors in (("source", source), ("target", target)):
            if len(priors) != num_classes or min(priors) < 0 or abs(sum(priors) - 1) > 1e-6:
                raise UserError(f"data.{name} is {list(priors)}: give {num_classes} probabilities that sum to 1")
        self.num_classes, self.num_features = num_classes, num_features
        self.source, self.target = tuple(source), tuple(target)
        self.spread = spread
        angles = 2 * torch.pi * torch.arange(num_classes) / num_classes
        self.corners = torch.stack([angles.cos(), angles.sin()], dim=1)  # (num_classes, 2)

    def draw(self, rows: int, target: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        priors = torch.tensor(self.target if target else self.source)
        y = torch.multinomial(priors, rows, replacement=True, generator=generator)
        return self.corners[y] + self.spread * torch.randn(rows, 2, generator=generator), y

    def best_accuracy(self, x: Tensor, y: Tensor) -> float:
        """Accuracy of Bayes' rule with the target's priors, which no classifier exceeds in expectation."""
        likelihood = -((x[:, None] - self.corners) ** 2).sum(2) / (2 * self.spread**2)  # (N, num_classes)
        return float(((likelihood + torch.tensor(self.target).log()).argmax(1) == y).float().mean())
