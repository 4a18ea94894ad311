"""A time series: windows of past values and the values that follow. D2L 9.1.

Training, validation and test are the series' beginning, middle and end. A window belongs to the split of its targets,
so no test target is a training target (the book splits the list of windows, whose ends overlap).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.horizons import STEPS
from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.splits import refuse_fractions


class Series(TensorDataModule):
    """Windows x (B, num_features) with the next values y: (B, 1) in training, (B, num_outputs) in evaluation.

    Values are standardized by the training part: (value - ``mean``) / ``scale``. Forecasts and errors are told in the
    series' own ``unit``.

    Args:
        num_features: Number of past values.
        num_outputs: Largest number of steps ahead.
        val_fraction, test_fraction: Fractions of the series, at its end.
        period: Steps after which the series repeats, for the seasonal baseline; 0 for none.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features", "num_outputs")
    #: What the series is measured in, for pictures; a subclass states its own.
    unit = ""
    input_means = "the last values, oldest first, each as (value - mean) / scale of processor.json"
    output_means = "It is in the same measure: * scale + mean gives the units of the series."

    def __init__(
        self,
        num_features: int = 4,
        num_outputs: int = 64,
        val_fraction: float = 0.2,
        test_fraction: float = 0.2,
        period: int = 0,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        refuse_fractions(val_fraction, test_fraction)
        self.num_features, self.num_outputs = num_features, num_outputs
        self.val_fraction, self.test_fraction, self.period = val_fraction, test_fraction, period
        self.mean, self.scale = 0.0, 1.0
        self.standard: tuple[float, float] | None = None  # mean and scale of the run whose model is used
        self.series = torch.zeros(0)  # all of it, standardized

    def values(self) -> np.ndarray:
        """The whole series (N,), in its own units."""
        raise NotImplementedError

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "mean": self.mean, "scale": self.scale}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.standard = (processor["mean"], processor["scale"])

    def in_units(self, name: str, values: Tensor) -> Tensor:
        """Forecasts in the units of the series, in double precision; anything else as it is."""
        return values.double() * self.scale + self.mean if name in ("forecast", "prediction") else values

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        values = np.asarray(self.values(), dtype=np.float64)
        ends_at = (1 - self.val_fraction - self.test_fraction, 1 - self.test_fraction)
        ends = (round(len(values) * ends_at[0]), round(len(values) * ends_at[1]))
        train = values[: ends[0]]
        self.mean, self.scale = self.standard or (float(train.mean()), float(train.std()) or 1.0)
        self.series = torch.from_numpy((values - self.mean) / self.scale).float()
        parts = {"train": (self.num_features, ends[0]), "val": ends, "test": (ends[1], len(values))}
        splits = {
            name: self._windows(*part, 1 if name == "train" else self.num_outputs) for name, part in parts.items()
        }
        return splits | {"predict": (splits["test"][0],)}

    def _windows(self, start: int, end: int, steps: int) -> tuple[Tensor, Tensor]:
        """All windows whose ``steps`` targets lie in [start, end)."""
        if end - start < steps or start < self.num_features:
            raise UserError(
                f"a part of the series has {end - start} values: too few for data.num_outputs {steps} after "
                f"data.num_features {self.num_features}"
            )
        windows = self.series[start - self.num_features : end].unfold(0, self.num_features + steps, 1)
        return windows[:, : self.num_features].contiguous(), windows[:, self.num_features :].contiguous()

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Persistence (with a period, the value one period ago), and least squares on the past values, rolled out."""
        (x, y), (x_test, y_test) = self.splits["train"], self.splits["test"]
        ones = torch.ones(len(x), 1, dtype=torch.float64)
        weights = torch.linalg.lstsq(torch.cat([x.double(), ones], 1), y.double()).solution  # (F + 1, 1)
        seen, forecasts = x_test.double(), []
        for _ in range(self.num_outputs):
            forecasts.append(seen @ weights[:-1] + weights[-1])
            seen = torch.cat([seen[:, 1:], forecasts[-1]], dim=1)
        last = x_test[:, -1:].expand_as(y_test)
        chance, what = last, "the last value"
        if self.period:
            lag = (torch.arange(self.num_outputs) % self.period) - self.period  # of the last whole period that is known
            place = len(self.series) - len(y_test) - self.num_outputs + 1 + torch.arange(len(y_test))
            chance, what = self.series[place[:, None] + lag], f"the value {self.period} steps before"
        squares = f"least squares on the last {self.num_features} values, rolled out"
        return {
            "chance": {"what": what, "metrics": step_errors(chance, y_test, self.scale)},
            "baseline": {"what": squares, "metrics": step_errors(torch.cat(forecasts, 1), y_test, self.scale)},
        }


def step_errors(forecast: Tensor, y: Tensor, scale: float) -> dict[str, float]:
    """Root mean squared errors of the steps of standardized forecasts (B, K), in the series' units."""
    errors = (forecast - y).square().mean(0).sqrt() * scale
    steps = {f"test/rmse_{k}": float(errors[k - 1]) for k in STEPS if k <= y.shape[1]}
    return {"test/rmse": float(errors[0]), **steps}


class Sunspots(Series):
    """Yearly sunspot numbers, 1700 to 2008 (statsmodels, from the National Geophysical Data Center)."""

    unit = "sunspots"

    def __init__(self, num_features: int = 11, num_outputs: int = 16, period: int = 11, **series: Any) -> None:
        super().__init__(num_features, num_outputs, period=period, **series)

    def values(self) -> np.ndarray:
        from statsmodels.datasets import sunspots

        return sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()


class CO2(Series):
    """Monthly CO2 over Mauna Loa, March 1958 to 2001, ppm (statsmodels); five missing months are interpolated."""

    unit = "ppm"

    def __init__(self, num_features: int = 24, num_outputs: int = 16, period: int = 12, **series: Any) -> None:
        super().__init__(num_features, num_outputs, period=period, **series)

    def values(self) -> np.ndarray:
        from statsmodels.datasets import co2

        return co2.load_pandas().data["co2"].resample("MS").mean().interpolate().to_numpy()
