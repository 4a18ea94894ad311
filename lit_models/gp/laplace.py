"""Gaussian process classification of two classes: a normal distribution around the most probable function (Laplace).

Williams and Barber 1998, "Bayesian Classification with Gaussian Processes"; Rasmussen and Williams 2006, algorithms 3.1
and 3.2. D2L 18.3 names it without code.
Departs from them: the probability of a class is the mean of the sigmoid over the normal distribution, by
Gauss-Hermite quadrature, exact to many digits; and the gradient of the evidence, which has to know how the most
probable function moves, is that of one more Newton step, which is exact at the mode and takes half a line of code.

    dive fit gp/laplace             two classes in the plane whose probability is known, offline

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.gp.kernels import Spec, make_kernel
from lit_models.gp.regression import refuse_too_many
from lit_models.layers.precision import full_precision
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains

NODES, WEIGHTS = (torch.from_numpy(a) for a in np.polynomial.hermite.hermgauss(64))


def newton_step(covariance: Tensor, y: Tensor, f: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step toward the mode of p(f | y): the new f (N,), K^-1 f (N,), root of W (N,), Cholesky factor of B (N, N).

    W is minus the second derivative of log p(y | f), and B = I + W^1/2 K W^1/2, whose eigenvalues are at least 1.

    Args:
        covariance: K (N, N).
        y: -1 or 1 (N,).
        f: Where the step begins (N,).
    """
    p = torch.sigmoid(f)
    root = (p * (1 - p)).sqrt()
    eye = torch.eye(len(y), dtype=f.dtype, device=f.device)
    factor = torch.linalg.cholesky(eye + root[:, None] * covariance * root)
    b = root.square() * f + (y + 1) / 2 - p  # W f + d log p(y | f) / d f
    inner = torch.cholesky_solve((root * (covariance @ b))[:, None], factor)[:, 0]
    a = b - root * inner
    return covariance @ a, a, root, factor


def find_mode(covariance: Tensor, y: Tensor, f: Tensor | None = None, steps: int = 50) -> Tensor:
    """The most probable f (N,) given the classes, by Newton's method from ``f`` or from zero; no gradient."""
    with torch.no_grad():
        f = torch.zeros_like(y) if f is None else f
        for _ in range(steps):
            new = newton_step(covariance, y, f)[0]
            done = bool((new - f).abs().max() < 1e-10) if len(y) else True
            f = new
            if done:
                break
    return f


def log_evidence(covariance: Tensor, y: Tensor, mode: Tensor) -> Tensor:
    """Laplace's approximation of log p(y), in nats; in its gradient the step from the mode moves as the mode does."""
    f, a, *_ = newton_step(covariance, y, mode)
    p = torch.sigmoid(f)
    root = (p * (1 - p)).sqrt()
    eye = torch.eye(len(y), dtype=f.dtype, device=f.device)
    factor = torch.linalg.cholesky(eye + root[:, None] * covariance * root)
    return -(a @ f) / 2 + F.logsigmoid(y * f).sum() - factor.diagonal().log().sum()


def mean_of_sigmoid(mean: Tensor, variance: Tensor) -> Tensor:
    """The mean of sigmoid(f) over f ~ N(mean, variance), (N,), by Gauss-Hermite quadrature with 64 nodes."""
    nodes, weights = NODES.to(mean), WEIGHTS.to(mean)
    f = mean[:, None] + (2 * variance).sqrt()[:, None] * nodes
    return torch.sigmoid(f) @ weights / math.sqrt(math.pi)


class LaplaceGP(nn.Module):
    """x (B, F) -> logarithms of the probabilities of both classes (B, 2), given the training points.

    Args:
        num_features: Columns F of x.
        kernel: A name such as rbf, or a sum of products (``kernels.py``).
    """

    x: Tensor
    y: Tensor
    mode: Tensor
    a: Tensor
    root: Tensor
    factor: Tensor

    def __init__(self, num_features: int = 2, kernel: Spec = "rbf") -> None:
        super().__init__()
        self.num_features = num_features
        self.kernel = make_kernel(kernel, num_features)
        for name, shape in (("x", (0, num_features)), ("y", (0,)), ("mode", (0,))):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        for name, shape in (("a", (0,)), ("root", (0,)), ("factor", (0, 0))):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64), persistent=False)
        self.solved = False  # whether these three are those of the present hyper-parameters

    def remember(self, x: Tensor, y: Tensor) -> None:
        """Stores the training points x (N, F) and their classes y (N,), 0 or 1.

        Raises:
            UserError: Another number of columns, or more rows than memory.
        """
        if x.shape[1] != self.num_features:
            raise UserError(f"the data has {x.shape[1]} columns, but model.num_features is {self.num_features}")
        refuse_too_many(x, "use fewer rows, or a network such as mlp/mlp")
        self.x, self.y = x.double(), 2 * y.double() - 1
        self.mode, self.solved = torch.zeros_like(self.y), False

    def nll(self) -> Tensor:
        """Minus Laplace's log evidence per point, in nats; keeps the mode, from which the next search begins."""
        covariance = self.kernel(self.x, self.x)
        self.mode = find_mode(covariance, self.y, self.mode)
        return -log_evidence(covariance, self.y, self.mode) / max(1, len(self.y))

    @torch.no_grad()
    def solve(self) -> None:
        """Finds the mode, once for all predictions with these hyper-parameters."""
        covariance = self.kernel(self.x, self.x)
        mode = find_mode(covariance, self.y, self.mode)
        _, self.a, self.root, self.factor = newton_step(covariance, self.y, mode)
        self.solved = True

    def train(self, mode: bool = True) -> "LaplaceGP":
        """Going to evaluation finds the mode: the hyper-parameters have changed since the last time."""
        super().train(mode)
        self.solved = False
        if not mode:
            self.solve()
        return self

    def latent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (B,) of the function before the sigmoid."""
        if not self.solved:
            self.solve()
        if not len(self.x):
            return torch.zeros_like(x[:, 0]), self.kernel.diagonal(x)
        cross = self.kernel(self.x, x)  # (N, B)
        v = torch.linalg.solve_triangular(self.factor, self.root[:, None] * cross, upper=False)
        return cross.T @ self.a, (self.kernel.diagonal(x) - v.square().sum(0)).clamp(min=0)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Takes the training points of a checkpoint, whatever their number."""
        for name in ("x", "y", "mode"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.x.device))
        super()._load_from_state_dict(state_dict, prefix, *others)
        self.solved = False

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.latent(x)
        # each of its own sign: 1 - p would have no digits left where p is near 1
        p = torch.stack([mean_of_sigmoid(-mean, variance), mean_of_sigmoid(mean, variance)], dim=1)
        return p.clamp(min=1e-300).log()


@trains(LaplaceGP)
class LitLaplaceGP(Classifier):
    """A Gaussian process classifier of two classes; each step takes all training rows, whatever the batch.

    Args:
        num_classes: 2.
        **task: See ``Classifier``.
    """

    net: LaplaceGP

    smooths = False

    def __init__(self, num_classes: int = 2, **task: Any) -> None:
        if num_classes != 2:
            raise UserError(f"num_classes is {num_classes}: Laplace's approximation here is of 2 classes")
        super().__init__(num_classes=num_classes, **task)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        with full_precision(x):
            return self.net(x.double())

    def on_fit_start(self) -> None:
        """Stores the training points of the datamodule's ``splits``; a checkpoint has them too."""
        super().on_fit_start()
        splits = self.data_attribute("splits")
        if splits:
            x, y = (tensor.to(self.device) for tensor in splits["train"][:2])
            mode = self.net.mode
            self.net.remember(x, y)
            if mode.shape == self.net.mode.shape:  # of a run that continues
                self.net.mode = mode

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        with full_precision(self.net.x):
            loss = self.net.nll()
        self.record_train_loss(loss, len(self.net.y))
        return loss
