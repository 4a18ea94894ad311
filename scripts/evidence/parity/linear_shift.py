"""Polynomials, cross-validation and the corrections of a shift, against scikit-learn and torch."""

from functools import cache, partial

import numpy as np
import torch
from sklearn.linear_model import LinearRegression as SklearnLinear
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import Tensor
from torch.nn import functional as F

from lit_models.linear.covariate_shift import LitCovariateShift, log_density_ratio, squares
from lit_models.linear.cross_validation import Predictor, cross_validation_error
from lit_models.linear.label_shift import confusion_columns, target_priors, weighted_cross_entropy
from lit_models.linear.linear_regression import closed_form
from lit_models.linear.polynomial import Polynomial
from scripts.evidence.verify import Check, Tensors


def rows(n: int, features: int = 1, seed: int = 1) -> Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# -- polynomials ------------------------------------------------------------------------------------------------------


def our_polynomial() -> Tensors:
    x = rows(12).requires_grad_()
    net = Polynomial(4).double()
    y = net(x)
    y.square().sum().backward()
    weight = net.regression.linear.weight
    assert weight.grad is not None and x.grad is not None
    return {"y": y[:, 0], "grad x": x.grad[:, 0], "grad weight": weight.grad[0]}


def numpy_polynomial(factorial: bool = True) -> Tensors:
    x = rows(12).numpy()[:, 0]
    linear = Polynomial(4).double().regression.linear
    w, b = linear.weight.detach().numpy()[0], linear.bias.item()
    scale = np.array([1.0, 2.0, 6.0, 24.0]) if factorial else np.ones(4)
    curve = np.polynomial.Polynomial(np.append(b, w / scale))
    y = curve(x)
    features = x[:, None] ** np.arange(1, 5) / scale
    found = {"y": y, "grad x": 2 * y * curve.deriv()(x), "grad weight": 2 * y @ features}
    return {name: torch.from_numpy(value) for name, value in found.items()}


# -- cross-validation -------------------------------------------------------------------------------------------------


def linear_fit(everything: Tensor | None, x: Tensor, y: Tensor) -> Predictor:
    """Standardize, cut below zero, then least squares; with ``everything``, its mean and deviation are taken."""
    seen = x if everything is None else everything
    mean, std = seen.mean(0), seen.std(0, correction=0)
    weights, bias = closed_form(((x - mean) / std).relu(), y)
    return lambda new: ((new - mean) / std).relu() @ weights + bias


def our_cross_validation(leak: bool = False) -> Tensors:
    x, y = rows(23, 2), rows(23, 1, seed=2)[:, 0].requires_grad_()
    error = cross_validation_error(x, y, partial(linear_fit, x if leak else None), k=5, seed=-1)
    error.backward()
    assert y.grad is not None
    return {"error": error, "grad y": y.grad}


def sklearn_cross_validation() -> Tensors:
    """Held-out predictions are linear in the targets: those of unit vectors are the columns of a matrix H."""
    x, y = rows(23, 2).numpy(), rows(23, 1, seed=2).numpy()[:, 0]
    model = make_pipeline(StandardScaler(), FunctionTransformer(lambda a: np.maximum(a, 0)), SklearnLinear())
    residual = np.eye(23) - cross_val_predict(model, x, np.eye(23), cv=KFold(5))  # I - H
    error = np.square(y - cross_val_predict(model, x, y, cv=KFold(5))).mean()
    slope = 2 * residual.T @ residual @ y / 23
    return {"error": torch.tensor(error, dtype=torch.float64), "grad y": torch.from_numpy(slope)}


# -- covariate shift --------------------------------------------------------------------------------------------------


def samples() -> tuple[Tensor, Tensor, Tensor]:
    """Forty source rows with targets, thirty target rows."""
    x = 0.5 + 0.5 * rows(40)
    return x, (x**3 - x)[:, 0], 0.3 * rows(30, seed=2)


def our_covariate_shift() -> Tensors:
    source, y, target = samples()
    model = LitCovariateShift(clip=3.0, l2=0.01).double()
    weights, bias = log_density_ratio(squares(source), squares(target), l2=0.01)
    model.ratio.load_state_dict({"weight": weights[None], "bias": bias[None]})
    loss = model.weighted_loss(source, y)
    loss.backward()
    linear = model.net.linear
    assert linear.weight.grad is not None
    return {"weights": model.row_weights(source), "loss": loss, "grad": linear.weight.grad[0]}


def sklearn_covariate_shift(counts: bool = True) -> Tensors:
    source, y, target = samples()
    x = np.concatenate([squares(source).numpy(), squares(target).numpy()])
    z = np.append(np.zeros(40), np.ones(30))
    model = LogisticRegression(C=1 / (0.01 * len(x)), solver="newton-cholesky", tol=1e-14, max_iter=1000).fit(x, z)
    odds = model.predict_proba(squares(source).numpy())
    ratio = odds[:, 1] / odds[:, 0] * (40 / 30 if counts else 1)
    weights = np.minimum(ratio, 3.0)
    linear = LitCovariateShift().double().net.linear  # the same seed: the same weights
    a, b = linear.weight.item(), linear.bias.item()
    error = a * source.numpy()[:, 0] + b - y.numpy()
    loss, slope = np.mean(weights * error**2) / 2, np.mean(weights * error * source.numpy()[:, 0])
    return {
        "weights": torch.from_numpy(weights),
        "loss": torch.tensor(loss, dtype=torch.float64),
        "grad": torch.tensor([slope], dtype=torch.float64),
    }


# -- label shift ------------------------------------------------------------------------------------------------------


@cache
def answers() -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes of 60 rows, two in three right."""
    random = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [30, 20, 10])
    return y, np.where(random.random(60) < 0.3, (y + 1) % 3, y)


MEAN_PREDICTION = [0.3, 0.2, 0.5]


def our_label_shift() -> Tensors:
    y, predicted = (torch.from_numpy(a) for a in answers())
    q = target_priors(confusion_columns(predicted, y, 3), torch.tensor(MEAN_PREDICTION, dtype=torch.float64))
    weights = q / (torch.bincount(y).double() / len(y))
    logits = rows(60, 3).requires_grad_()
    loss = weighted_cross_entropy(logits, y, weights[y])
    loss.backward()
    assert logits.grad is not None
    return {"shares": q, "loss": loss, "grad logits": logits.grad}


def sklearn_label_shift(normalize: str = "true") -> Tensors:
    y, predicted = answers()
    confusion = confusion_matrix(y, predicted, normalize=normalize).T  # scikit-learn has the truth in rows
    q = np.linalg.solve(confusion, MEAN_PREDICTION)
    q = np.maximum(q, 0) / np.maximum(q, 0).sum()
    logits = rows(60, 3).requires_grad_()
    weight = torch.from_numpy(q / (np.bincount(y) / len(y)))
    loss = F.cross_entropy(logits, torch.from_numpy(y), weight=weight, reduction="sum") / 60
    loss.backward()
    assert logits.grad is not None
    return {"shares": torch.from_numpy(q), "loss": loss, "grad logits": logits.grad}


CHECKS = [
    Check(
        name="linear/polynomial",
        claim="a polynomial of degree 4, its slope and the gradient of its coefficients against numpy.polynomial",
        package="numpy",
        ours=our_polynomial,
        reference=numpy_polynomial,
        control=partial(numpy_polynomial, factorial=False),
        mistake="powers not divided by their factorial",
    ),
    Check(
        name="linear/cross_validation",
        claim="the error of five folds with statistics of the training rows against cross_val_predict of a pipeline",
        package="scikit-learn",
        ours=our_cross_validation,
        reference=sklearn_cross_validation,
        control=partial(our_cross_validation, leak=True),
        mistake="standardized by all rows before the cut, held-out ones too (D2L 5.7)",
    ),
    Check(
        name="linear/covariate_shift",
        claim="weights by LogisticRegression's odds, clipped, and the weighted loss and its gradient",
        package="scikit-learn",
        ours=our_covariate_shift,
        reference=sklearn_covariate_shift,
        control=partial(sklearn_covariate_shift, counts=False),
        mistake="the odds taken as the ratio although the samples are not equally many (D2L 4.7.3)",
    ),
    Check(
        name="linear/label_shift",
        claim="shares from the inverse confusion matrix, and the loss weighted by them, against F.cross_entropy",
        package="scikit-learn",
        ours=our_label_shift,
        reference=sklearn_label_shift,
        control=partial(sklearn_label_shift, normalize="pred"),
        mistake="the confusion matrix divided by how often each answer was given, not each class",
    ),
]
