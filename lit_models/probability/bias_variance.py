"""Bias and variance of a regression: many training sets of the same curve, and what their fits have in common.

Geman, Bienenstock and Doursat 1992, "Neural networks and the bias/variance dilemma". Goodfellow et al. 5.4.4; D2L 3.6.
All training sets are fitted at once, each by least squares (``curve_sets`` of the datamodule); the solution is reached
by one step of SGD of rate 1. The expected squared error on new points is bias^2 + variance + noise^2: the three are
measured separately and their sum is compared with the error.

    dive fit probability/bias_variance                       degree 7, 200 training sets of 50 points, offline
    dive fit probability/bias_variance --model.degree 1      bias; --model.degree 12: variance

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.layers.precision import full_precision
from lit_models.tasks.processes import precise
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains


def chebyshev(x: Tensor, degree: int) -> Tensor:
    """T_0 to T_degree at x in [-1, 1]: (N,) -> (N, degree + 1). Powers would be nearly parallel columns."""
    return torch.cos(torch.arange(degree + 1).to(x) * x.clamp(-1, 1).arccos()[:, None])


class Polynomials(nn.Module):
    """S polynomials: x (B, 1) in [-1, 1] -> the prediction of each (B, S).

    Args:
        degree: Of each.
        num_sets: S, one for each training set.
    """

    def __init__(self, degree: int = 7, num_sets: int = 200) -> None:
        super().__init__()
        self.degree = degree
        self.weight = nn.Parameter(torch.zeros(num_sets, degree + 1))

    def forward(self, x: Tensor) -> Tensor:
        return chebyshev(x[:, 0], self.degree) @ self.weight.T


def decomposed(predictions: Tensor, curve: Tensor) -> tuple[Tensor, Tensor]:
    """Squared bias and variance (B,) of predictions (B, S), at points where the true curve is (B,)."""
    return (predictions.mean(1) - curve).square(), predictions.var(1, correction=0)


@trains(Polynomials)
class LitBiasVariance(Task):
    """Least squares on each training set. Batch: ``(x, y, curve)``: points, noisy targets, the true curve, each (B, 1)
    or (B,).

    Logs ``val/loss`` (the mean squared error), ``test/mse``, ``test/bias2``, ``test/variance``, ``test/noise2`` and
    ``test/gap``, the difference of the error from the sum of the other three, which is chance alone.
    """

    output_means = "The prediction of the polynomial of each training set."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.example_input = torch.zeros(1, 1)
        self.val_loss = MeanMetric()
        self.measured = nn.ModuleDict({name: MeanMetric() for name in ("mse", "bias2", "variance", "noise2")})
        self.solution: Tensor | None = None

    def forward(self, *inputs: Tensor) -> Any:
        with full_precision(inputs[0]):
            return super().forward(*inputs)

    def solve(self) -> Tensor:
        """The least-squares weights (S, degree + 1), computed once, in double precision."""
        if self.solution is None:
            net: Any = self.net
            sets = self.data_attribute("curve_sets")
            if sets is None:
                raise UserError("bias and variance need many training sets: use the datamodule CurveSets")
            x, y = (t.to(self.device, precise(self.device)) for t in sets)  # (S, N)
            if x.shape[1] <= net.degree:
                raise UserError(
                    f"model.degree {net.degree} needs {net.degree + 1} points, data.num_points is {x.shape[1]}"
                )
            features = chebyshev(x.flatten(), net.degree).reshape(*x.shape, -1)  # (S, N, degree + 1)
            self.solution = torch.linalg.lstsq(features, y[..., None]).solution[..., 0]
        return self.solution

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        weight: Any = self.net.weight
        loss = (weight - self.solve().to(weight)).square().sum() / 2
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        x, y, _ = batch
        self.val_loss.update((self(x) - y[:, None]).square().mean(1))

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        x, y, curve = batch
        predictions = self(x)
        bias2, variance = decomposed(predictions, curve)
        mse = (predictions - y[:, None]).square().mean(1)
        values = {"mse": mse, "bias2": bias2, "variance": variance, "noise2": (y - curve).square()}
        for name, value in values.items():
            self.measured[name].update(value)  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        found = {name: metric.compute() for name, metric in self.measured.items()}  # type: ignore[operator]
        gap = found["mse"] - found["bias2"] - found["variance"] - found["noise2"]
        self.log_dict({f"test/{name}": value for name, value in {**found, "gap": gap}.items()})

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``prediction`` (B,), the mean over the training sets, and ``std`` (B,), their deviation."""
        predictions = self(batch if isinstance(batch, Tensor) else batch[0]).float()
        return {"prediction": predictions.mean(1), "std": predictions.std(1)}

    def panels(self) -> list[dict[str, Any]]:
        """Left: twenty of the fits. Right: bias^2, variance and their sum by degree."""
        sets = self.data_attribute("curve_sets")
        if sets is None:
            return []
        x, y = (t.to(self.device, precise(self.device)) for t in sets)
        grid = torch.linspace(-1, 1, 200).to(x)
        curve: Tensor = self.data_attribute("true_curve")(grid)
        net: Any = self.net
        fits = chebyshev(grid, net.degree) @ net.weight.detach()[:20].T.to(x)
        room = 1.5 * float(curve.abs().max())
        gap = torch.full_like(grid[:1], float("nan"))  # between two fits
        ends = torch.cat([grid, gap]).repeat(fits.shape[1]), torch.cat([fits, gap.expand(1, fits.shape[1])]).T.flatten()
        lines = {f"{fits.shape[1]} fits": ends, "truth": (grid, curve)}
        shown = {"title": f"degree {net.degree}", "lines": lines, "ylim": (-room, room)}
        degrees = range(min(11, x.shape[1] - 1))
        values = []
        for degree in degrees:
            features = chebyshev(x.flatten(), degree).reshape(*x.shape, -1)
            weights = torch.linalg.lstsq(features, y[..., None]).solution[..., 0]
            bias2, variance = decomposed(chebyshev(grid, degree) @ weights.T, curve)
            values.append([float(bias2.mean()), float(variance.mean())])
        table, steps = torch.tensor(values), torch.tensor(list(degrees))
        parts = {"bias^2": table[:, 0], "variance": table[:, 1], "sum": table.sum(1)}
        by_degree = {"title": "error of the curve", "xlabel": "degree", "log": True}
        return [shown, by_degree | {"lines": {name: (steps, part) for name, part in parts.items()}}]
