"""Exact Gaussian process regression by hand: a distribution over functions, given the data.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapters 2 and 5. D2L 18.
Departs from the book: the equations are those of ``regression.py``, stable and with the gradient in closed form; noise
is one number, a standard deviation; an own table's target is standardized first, since a process has mean zero and
a variance near one.

    dive fit gp/exact               a curve of two sines with noise (D2L 18.3), offline
    dive fit gp/exact_co2           CO2 over Mauna Loa with a sum of kernels, extrapolated by ten years, offline
    dive fit gp/exact_diabetes      a table, a length-scale for each column, offline
    dive fit gp/exact_airfoil       NASA's table, ten splits
    dive fit gp/exact --data CSVTable --data.path FILE --data.target COLUMN      your own table
    dive predict gp/exact --data.path NEW       the mean, and the interval of 95 %

The numbers they reach are in RESULTS.md; ``posterior.png`` shows prior samples, and the posterior with its two bands.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.messages import UserError, note
from lit_models.gp.acquisition import confidence_bound, expected_improvement
from lit_models.gp.kernels import Spec, make_kernel
from lit_models.gp.regression import (
    condition,
    estimated_log_likelihood,
    leave_one_out,
    likeliest,
    log_marginal_likelihood,
    refuse_too_many,
    safe_cholesky,
    sample,
)
from lit_models.layers.precision import full_precision
from lit_models.tasks.gaussian_regressor import GaussianRegressor
from lit_models.tasks.trains import trains

DRAWN = 300  # test points in a picture
CG_IS_FASTER = 2000  # rows, from which GPyTorch's conjugate gradients need less time


class ExactGP(nn.Module):
    """x (B, F) -> mean, variance of the function, variance of an observation, each (B,), given the training points.

    Args:
        num_features: Columns F of x.
        kernel: A name such as rbf, or a sum of products (``kernels.py``).
        noise: The noise's standard deviation to start from, in those of the target where it is standardized; 0 means
            that there is none, and that it is not learned.
        standardize: Whether the targets are first brought to mean 0 and variance 1.
        solver: How the likelihood of a training step is computed: ``cholesky``, ``cg`` (conjugate gradients, an
            estimate, which needs noise), or ``auto``: cg from 2,000 rows on. Predictions have a Cholesky factor.
    """

    x: Tensor
    y: Tensor
    mean: Tensor
    std: Tensor
    factor: Tensor
    alpha: Tensor

    def __init__(
        self,
        num_features: int = 1,
        kernel: Spec = "rbf",
        noise: float = 0.3,
        standardize: bool = True,
        solver: Literal["auto", "cholesky", "cg"] = "auto",
    ) -> None:
        super().__init__()
        if noise < 0:
            raise UserError(f"model.noise is {noise}: it is a standard deviation; 0 means without noise")
        if solver == "cg" and not noise:
            raise UserError("model.solver cg needs noise: give model.noise, or take cholesky")
        self.num_features, self.standardize, self.noisy = num_features, standardize, noise > 0
        self.solver = solver
        self.kernel = make_kernel(kernel, num_features)
        if self.noisy:
            self.log_noise = nn.Parameter(torch.tensor(float(noise), dtype=torch.float64).log())
        self.register_buffer("x", torch.zeros(0, num_features, dtype=torch.float64))
        self.register_buffer("y", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("std", torch.ones((), dtype=torch.float64))
        self.register_buffer("factor", torch.zeros(0, 0, dtype=torch.float64), persistent=False)
        self.register_buffer("alpha", torch.zeros(0, dtype=torch.float64), persistent=False)
        self.solved = False  # whether ``factor`` and ``alpha`` are those of the present hyper-parameters

    def noise_variance(self) -> Tensor:
        """In units of the standardized target; ()."""
        return (2 * self.log_noise).exp() if self.noisy else torch.zeros_like(self.std)

    def remember(self, x: Tensor, y: Tensor) -> None:
        """Stores the training points x (N, F), y (N,), which a prediction needs; rows that have a NaN are left out.

        Raises:
            UserError: Another number of columns, a constant target, more rows than memory, or points that are there
                twice, without noise.
        """
        if x.shape[1] != self.num_features:
            raise UserError(f"the data has {x.shape[1]} columns, but model.num_features is {self.num_features}")
        x, y = x.double(), y.reshape(len(x)).double()
        kept = x.isfinite().all(1) & y.isfinite()
        if not bool(kept.all()):
            note(f"{int((~kept).sum())} of {len(x)} training rows have a missing or infinite value: they are left out")
            x, y = x[kept], y[kept]
        refuse_too_many(x, "use gp/svgp, whose steps take a batch")
        if len(y) < 2:
            raise UserError(f"training rows without a missing value: {len(y)}; at least 2 are needed")
        if bool((y == y[0]).all()):
            raise UserError(f"the target of all {len(y)} training rows is the same: there is nothing to learn")
        if not self.noisy and len(x.unique(dim=0)) < len(x):
            twice = len(x) - len(x.unique(dim=0))
            raise UserError(f"{twice} training points are there twice, which model.noise 0 rules out: give a noise")
        if self.standardize:
            self.mean.copy_(y.mean())
            self.std.copy_(y.std())
        self.x, self.y, self.solved = x, (y - self.mean) / self.std, False
        if self.solver == "auto" and self.by_products():
            note(f"{len(x):,} training rows: conjugate gradients from {CG_IS_FASTER:,} on; or --model.solver cholesky")

    def covariance(self) -> Tensor:
        """k(X, X) with the noise (N, N)."""
        k = self.kernel(self.x, self.x)
        return torch.diagonal_scatter(k, k.diagonal() + self.noise_variance())

    def nll(self) -> Tensor:
        """The negative log marginal likelihood of the standardized targets, per point, in nats (see ``solver``)."""
        if self.by_products():
            found = estimated_log_likelihood(self.kernel(self.x, self.x), self.noise_variance(), self.y)
        else:
            found = log_marginal_likelihood(self.covariance(), self.y)
        return -found / max(1, len(self.y))

    def by_products(self) -> bool:
        """Whether the likelihood is estimated by conjugate gradients."""
        return self.noisy and (self.solver == "cg" or (self.solver == "auto" and len(self.x) >= CG_IS_FASTER))

    def leave_one_out(self) -> tuple[Tensor, Tensor]:
        """Mean and variance (N,) of each training observation given all others, in the target's units."""
        mean, variance = leave_one_out(self.covariance(), self.y)
        return mean * self.std + self.mean, variance * self.std**2

    @torch.no_grad()
    def solve(self) -> None:
        """Factorizes the covariance, once for all predictions with these hyper-parameters."""
        self.factor = safe_cholesky(self.covariance())
        self.alpha = torch.cholesky_solve(self.y[:, None], self.factor)[:, 0]
        self.solved = True

    def train(self, mode: bool = True) -> "ExactGP":
        """Going to evaluation factorizes the covariance: the hyper-parameters have changed since the last time."""
        super().train(mode)
        self.solved = False
        if not mode:
            self.solve()
        return self

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Takes the training points of a checkpoint, whatever their number."""
        for name in ("x", "y"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.x.device))
        super()._load_from_state_dict(state_dict, prefix, *others)
        self.solved = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if x.shape[1] != self.num_features:
            raise UserError(f"a point has {x.shape[1]} columns, but the model was made for {self.num_features}")
        if not self.solved:
            self.solve()
        if len(self.x):
            mean, variance = condition(self.kernel(self.x, x), self.kernel.diagonal(x), self.factor, self.alpha)
        else:
            mean, variance = torch.zeros_like(x[:, 0]), self.kernel.diagonal(x)
        observed = variance + self.noise_variance()
        return mean * self.std + self.mean, variance * self.std**2, observed * self.std**2


@trains(ExactGP)
class LitExactGP(GaussianRegressor):
    """An exact Gaussian process; each step takes all training rows, whatever the batch.

    Args:
        starts: Hyper-parameters to begin with that are tried, the recipe's and others drawn around it; training begins
            with the likeliest.
        prior: The width of a log-normal prior around the hyper-parameters to start from; 0 for none.
        num_outputs: 1, as a table's datamodule says.
        **task: See ``Task``.
    """

    net: ExactGP

    def __init__(self, starts: int = 1, prior: float = 0.0, num_outputs: int = 1, **task: Any) -> None:
        if num_outputs != 1:
            raise UserError(f"num_outputs is {num_outputs}: the target is a number; for two classes use gp/laplace")
        super().__init__(**task)
        if prior < 0 or starts < 1:
            raise UserError(f"model.prior {prior} and model.starts {starts}: give at least 0 and 1")
        self.starts, self.prior = starts, prior
        self.begin: dict[str, Tensor] = {name: p.detach().clone() for name, p in self.net.named_parameters()}

    def on_fit_start(self) -> None:
        """Stores the training points of the datamodule's ``splits``; a checkpoint has them too."""
        super().on_fit_start()
        splits = self.data_attribute("splits")
        if not splits:
            return
        transform = self.data_attribute("transform", lambda batch: batch)
        x, y = transform(tuple(tensor.to(self.device) for tensor in splits["train"][:2]))
        self.net.remember(x, y)

    def on_train_start(self) -> None:
        """Tries ``starts`` hyper-parameters, at the beginning of a run: here a run that continues knows its step."""
        super().on_train_start()
        if self.starts > 1 and self.trainer.global_step == 0 and len(self.net.x):
            self.net.load_state_dict(likeliest(self.net, self.starts), strict=False)

    def loss(self) -> Tensor:
        """The negative log marginal likelihood per point, with the prior's part."""
        with full_precision(self.net.x):
            loss = self.net.nll()
        if self.prior:
            away = [(p - self.begin[name].to(p)).square().sum() for name, p in self.net.named_parameters()]
            loss = loss + torch.stack(away).sum() / (2 * self.prior**2) / len(self.net.y)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss()
        self.record_train_loss(loss, len(self.net.y))
        return loss

    @torch.no_grad()
    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: functions of the prior, and the posterior with the bands of function and observation."""
        splits = self.data_attribute("splits", {})
        if "train" not in splits or self.net.num_features != 1:
            return []
        if "test" not in splits:
            self.data_attribute("setup")("test")
            splits = self.data_attribute("splits")
        (x, y), (x_new, y_new) = (splits[name][:2] for name in ("train", "test"))
        low, high = float(min(x.min(), x_new.min())), float(max(x.max(), x_new.max()))
        kept = torch.linspace(0, len(x_new) - 1, min(len(x_new), DRAWN)).long()
        points = {"test": (x_new[kept], y_new[kept]), "train": (x, y)}
        self.net.eval()
        line = torch.linspace(low, high, 400, dtype=torch.float64, device=self.device)[:, None]
        prior = sample(self.net.kernel(line, line), 5) * self.net.std + self.net.mean
        samples = {f"sample {k + 1}": (line, f) for k, f in enumerate(prior)}
        panels = [{"title": "functions of the prior, learned hyper-parameters", "xlabel": "x", "lines": samples}]
        panels.append({"title": "posterior", **self.posterior(low, high, points)})
        if float(x_new.min()) > float(x.max()):  # an extrapolation: closer
            near = {name: (a[at], b[at]) for name, (a, b) in points.items() if len(at := near_end(a, x, x_new))}
            start = 2 * float(x.max()) - high
            panels.append({"title": "posterior, from the last years on", **self.posterior(start, high, near)})
        else:
            mean, variance, _ = self(line)
            best = self.net(self.net.x)[0].max()
            gains = expected_improvement(-mean, variance.sqrt(), -best)
            bound = -confidence_bound(-mean, variance.sqrt()) - best
            lines = {"expected improvement": (line, gains / gains.max()), "upper confidence bound": (line, bound)}
            panels.append({"title": "where to look next for the maximum", "xlabel": "x", "lines": lines})
        return panels

    def posterior(self, low: float, high: float, points: dict[str, Any]) -> dict[str, Any]:
        """A panel of mean and bands of two standard deviations between two places."""
        line = torch.linspace(low, high, 500, dtype=torch.float64, device=self.device)[:, None]
        mean, variance, observed = self(line)
        bands = {
            name: (line, mean - 2 * square.sqrt(), mean + 2 * square.sqrt())
            for name, square in (("observation", observed), ("function", variance))
        }
        return {"xlabel": "x", "points": points, "lines": {"mean": (line, mean)}, "bands": bands}


def near_end(places: Tensor, x: Tensor, x_new: Tensor) -> Tensor:
    """The rows of places (N, 1) that are as near to the training points' end as the new points are."""
    return (places[:, 0] > 2 * x.max() - x_new.max()).nonzero()[:, 0]
