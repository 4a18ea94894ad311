"""Forecasts from past values only: one step ahead, and many steps ahead from the model's own forecasts. D2L 9.1.

Departs from the book: the split (``datamodules/tabular/series.py``); besides its linear model a multilayer perceptron
and a GRU; ``relative`` predicts the change from the last value, which lets a model follow a trend out of the range it
was trained on.

    dive fit rnn/autoregressive              the book's noisy sine, offline; forecast.png
    dive fit rnn/autoregressive_sunspots     300 years of sunspots, offline
    dive fit rnn/autoregressive_co2          40 years of CO2, offline

The numbers they reach are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from common.horizons import STEPS
from lit_models.layers.precision import full_precision
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


class Autoregressive(nn.Module):
    """The next value from the last ones. (B, num_features) -> (B, 1).

    Args:
        num_features: Past values F.
        kind: ``linear``; ``mlp``, one hidden layer; ``gru``, which reads them one by one.
        hidden_size: Units of mlp and gru.
        relative: The last value is subtracted from the past and added to the output.
    """

    def __init__(
        self,
        num_features: int = 4,
        kind: Literal["linear", "mlp", "gru"] = "linear",
        hidden_size: int = 32,
        relative: bool = False,
    ) -> None:
        super().__init__()
        self.kind, self.relative = kind, relative
        self.gru = nn.GRU(1, hidden_size, batch_first=True) if kind == "gru" else None
        self.hidden = nn.Linear(num_features, hidden_size) if kind == "mlp" else None
        self.head = nn.Linear(num_features if kind == "linear" else hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        last = x[:, -1:] if self.relative else 0.0
        h = x - last
        if self.gru is not None:
            h = self.gru(h[:, :, None])[0][:, -1]  # (B, hidden_size)
        elif self.hidden is not None:
            h = torch.relu(self.hidden(h))
        return last + self.head(h)

    def forecast(self, x: Tensor, steps: int) -> Tensor:
        """The next ``steps`` values (B, steps): each forecast becomes the newest past value of the next."""
        forecasts = []
        for _ in range(steps):
            forecasts.append(self(x))
            x = torch.cat([x[:, 1:], forecasts[-1]], dim=1)
        return torch.cat(forecasts, dim=1)


@trains(Autoregressive)
class LitAutoregressive(Regressor):
    """Trained on one step, tested on many: batch (x (B, F), y (B, K)), of which training and ``test/rmse`` use y[:, 0].

    Logs what ``Regressor`` logs, and ``test/rmse_k`` for forecasts k = 1, 4, 16 and 64 steps ahead, in the units of the
    series.

    Args:
        num_outputs: Largest number of steps K.
        **task: See ``Regressor``.
    """

    def __init__(self, num_outputs: int = 64, **task: Any) -> None:
        super().__init__(**task)
        self.num_outputs = num_outputs
        self.errors = nn.ModuleDict({str(k): MeanMetric() for k in STEPS if k <= num_outputs})

    def forecast(self, x: Tensor, steps: int) -> Tensor:
        """The next ``steps`` values (B, steps) after x (B, F)."""
        with full_precision(x):
            return self.net.forecast(x, steps)  # type: ignore[operator]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return super().training_step((batch[0], batch[1][:, :1]), batch_idx)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return super().validation_step((batch[0], batch[1][:, :1]), batch_idx)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        super().test_step((x, y[:, :1]), batch_idx)
        forecast = self.forecast(x, y.shape[1])
        for k, metric in self.errors.items():
            metric.update((forecast - y)[:, int(k) - 1].square())  # type: ignore[operator]
        return {"forecast": forecast}

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        for k, metric in self.errors.items():
            self.log(f"test/rmse_{k}", metric.compute().sqrt() * self.scale)  # type: ignore[operator]
            metric.reset()  # type: ignore[operator]

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``forecast`` (B, num_outputs) for a batch ``x`` or ``(x, ...)``, standardized as x is; the
        datamodule's ``in_units`` converts it to the units of the series.
        """
        x = batch if isinstance(batch, Tensor) else batch[0]
        return {"forecast": self.forecast(x, self.num_outputs)}
