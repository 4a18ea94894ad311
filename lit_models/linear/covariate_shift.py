"""Covariate shift: the inputs change, the rule does not; training rows are weighted by their likelihood in the target.

Shimodaira 2000, "Improving predictive inference under covariate shift"; Sugiyama et al. 2007 for the weighted
validation. D2L 4.7.3, which has no code.
Departs from the book: samples of the two distributions need not be equally many; the classifier that tells them apart
sees x and x^2, which is exactly right for two normal distributions; the validation loss is weighted too, since source
rows would choose the model that is best for the source.

    dive fit linear/covariate_shift                           a line for a cubic seen elsewhere than asked for, offline
    dive fit linear/covariate_shift --model.weighted false    ignores the shift

The numbers they reach are in RESULTS.md; ``shift.png`` shows both samples, the line and the weights.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.layers.precision import full_precision
from lit_models.linear.linear_regression import LinearRegression
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


def squares(x: Tensor) -> Tensor:
    """x and its squares: (N, F) -> (N, 2 F)."""
    return torch.cat([x, x**2], dim=1)


def logistic_regression(x: Tensor, z: Tensor, l2: float = 1e-3, steps: int = 100) -> tuple[Tensor, Tensor]:
    """Weights (F,) and bias () that minimize mean log(1 + exp(-z h(x))) + l2 / 2 ||w||^2 with h(x) = w.x + b.

    Newton's method in double precision: each step solves a weighted least-squares problem. The penalty, which leaves
    the bias free, keeps the weights finite where a plane parts the two samples.

    Args:
        x: Inputs (N, F).
        z: Sides (N,), 1 or -1.
        l2: Strength of the penalty.
        steps: At most so many; it ends when the gradient is zero.
    """
    x, z = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double(), z.double()
    w = x.new_zeros(x.shape[1])
    ridge = l2 * torch.ones_like(w)
    ridge[-1] = 0
    for _ in range(steps):
        doubt = torch.sigmoid(-z * (x @ w))  # (N,) the probability of the wrong side
        slope = -(x.T @ (z * doubt)) / len(x) + ridge * w
        if float(slope.abs().max()) < 1e-13:
            break
        curvature = (x.T * (doubt * (1 - doubt))) @ x / len(x) + ridge.diag()
        w = w - torch.linalg.solve(curvature, slope)
    return w[:-1], w[-1]


def log_density_ratio(source: Tensor, target: Tensor, l2: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Weights and bias of h with exp(h(x)) = target density / source density, from a sample of each.

    A classifier with z = 1 for the target estimates n_target p_target / (n_source p_source): hence the last term.

    Args:
        source, target: Features (N, F) and (M, F).
        l2: See ``logistic_regression``.
    """
    z = torch.cat([-torch.ones(len(source)), torch.ones(len(target))])
    weights, bias = logistic_regression(torch.cat([source, target]), z, l2)
    return weights, bias + torch.log(torch.tensor(len(source) / len(target), dtype=torch.float64))


@trains(LinearRegression)
class LitCovariateShift(Regressor):
    """A line trained on weighted source rows. The weights are estimated once, before training.

    Its datamodule supplies ``target_x``, inputs of the target without labels; without it every weight is 1.

    Args:
        num_features: Length of x.
        weighted: False ignores the shift.
        clip: The largest weight: min(exp(h), clip) trades a little bias for much less variance.
        l2: Penalty of the classifier behind the weights.
        **task: See ``Task``.
    """

    net: LinearRegression

    def __init__(
        self, num_features: int = 1, weighted: bool = True, clip: float = 10.0, l2: float = 1e-3, **task: Any
    ) -> None:
        super().__init__(**task)
        self.ratio = nn.Linear(2 * num_features, 1).requires_grad_(False)  # h: saved and moved, not trained
        nn.init.zeros_(self.ratio.weight)
        nn.init.zeros_(self.ratio.bias)
        self.weighted, self.clip, self.l2 = weighted, clip, l2

    def setup(self, stage: str) -> None:
        super().setup(stage)
        splits, target_x = self.data_attribute("splits"), self.data_attribute("target_x")
        if stage == "fit" and self.weighted and splits and target_x is not None:
            source = splits["train"][0]
            weights, bias = log_density_ratio(squares(source), squares(target_x), self.l2)
            self.ratio.load_state_dict({"weight": weights[None].float(), "bias": bias[None].float()})

    def row_weights(self, x: Tensor) -> Tensor:
        """The ratio of the densities of x in target and source, clipped: (B, F) -> (B,)."""
        with full_precision(x):
            return self.ratio(squares(x))[:, 0].exp().clamp(max=self.clip)

    def weighted_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean of weight * error^2 / 2."""
        return (self.row_weights(x) * (self(x)[:, 0] - y).square()).mean() / 2

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.weighted_loss(x, y)
        self.record_train_loss(loss, len(x))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        self.val_loss.update(self.weighted_loss(x, y), len(x))
        return {"prediction": self(x)}

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: the samples with the line, and the weight of each place."""
        splits, target = self.data_attribute("splits", {}), self.data_attribute("target_x")
        if "train" not in splits or self.net.linear.in_features != 1:
            return []
        x, y = splits["train"][:2]
        samples = {"source": (x, y)}
        if target is not None:
            samples["target, without labels"] = target, torch.full_like(target, float(y.min()) - 0.2)
        low = min(float(places.min()) for places, _ in samples.values())
        line = torch.linspace(low, float(x.max()), 200)[:, None]
        with torch.no_grad():
            fitted, weights = self(line.to(self.device)), self.row_weights(line.to(self.device))
        return [
            {"title": "fit", "xlabel": "x", "points": samples, "lines": {"model": (line, fitted)}},
            {"title": "weight", "xlabel": "x", "lines": {f"at most {self.clip:g}": (line, weights)}},
        ]
