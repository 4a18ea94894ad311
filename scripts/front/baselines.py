"""Chance and a simple baseline for a recipe, computed on its own data, for comparison with its numbers.

Classification: the frequencies of the classes in the training set (their accuracy is that of the most frequent class),
and logistic regression. Regression: the mean of the training targets, and least squares. Both get the network's input,
after ``transform``, without augmentation, flattened. On a table of mixed columns (a datamodule with ``columns``) least
squares are replaced by ridge regression, since rare categories leave them undetermined, and boosted trees are added.
For a text with a class (a datamodule with a ``vocabulary``) logistic regression gets the counts of its tokens. A
datamodule of another kind (texts, pairs of texts, series) has a method ``baselines()`` that returns the same
structure.
"""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

MAX_ROWS = 10_000  # of the training set for the fits, which are to take seconds
MAX_FEATURES = 4096


def baselines(data: Any) -> dict[str, dict[str, Any]]:
    """``chance`` and ``baseline`` of a datamodule, each with ``what`` it is and its test ``metrics``.

    Empty for data without baselines of its own, unless it is tables or images with a class or numbers as targets.
    """
    if not hasattr(data, "splits"):
        return {}
    tested = data.splits.get("test")
    if not hasattr(data, "baselines") and tested and (len(tested) != 2 or not fits(tested[-1])):
        return {}  # of masks or boxes: the training pictures need not be read for it
    data.setup("fit")
    data.setup("test")
    if hasattr(data, "baselines"):
        return dict(data.baselines())
    train, test = data.splits.get("train"), data.splits.get("test")
    if not train or not test or len(train) != 2 or len(test) != 2 or not fits(train[-1]):
        return {}
    rows = torch.randperm(len(train[0]), generator=torch.Generator().manual_seed(0))[:MAX_ROWS]
    of = "" if len(rows) == len(train[0]) else f" of {len(train[0]):,}"
    x, y = seen(data, tuple(t[rows] for t in train))
    x_test, y_test = seen(data, test)
    on = f"on {len(rows):,}{of} training rows"
    if getattr(data, "vocabulary", None):
        counts = [bag_of_tokens(tokens, len(data.vocabulary)) for tokens in (x, x_test)]
        return classification(counts[0], y, counts[1], y_test, f"on the counts of tokens, {on}")
    if x.shape[1] > MAX_FEATURES:
        return {}
    if y.dtype.kind == "i":
        found = classification(x, y, x_test, y_test, on)
    else:
        found = regression(x, y, x_test, y_test, on, float(getattr(data, "scale", 1.0)))
    return found | (table(x, y, x_test, y_test, on) if hasattr(data, "columns") else {})


def fits(y: Tensor) -> bool:
    """Whether targets are one class or real numbers for each row."""
    return (y.is_floating_point() and y.ndim <= 2) or (y.ndim == 1 and not y.is_floating_point())


def seen(data: Any, split: tuple[Tensor, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A split as the network gets it: x (N, F), y (N,) or (N, K)."""
    x, y = data.transform(split)
    return x.flatten(1).numpy().astype(np.float64), y.numpy()


def bag_of_tokens(tokens: np.ndarray, size: int) -> Any:
    """Tokens (N, T), 0 for padding -> how often each is there (N, size), a sparse matrix."""
    from scipy.sparse import csr_matrix

    rows, places = tokens.nonzero()
    return csr_matrix((np.ones(len(rows)), (rows, tokens[rows, places].astype(np.int64))), (len(tokens), size))


def classification(x: Any, y: np.ndarray, x_test: Any, y_test: np.ndarray, on: str) -> dict[str, Any]:
    from sklearn import __version__
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a baseline need not be at its optimum to the last digit
        model = LogisticRegression(max_iter=200).fit(x, y)
    classes = 1 + max(int(y.max()), int(y_test.max()))
    shares = np.bincount(y, minlength=classes) / len(y)
    what = f"logistic regression (scikit-learn {__version__}, C=1, at most 200 iterations) {on}"
    every = np.broadcast_to(shares, (len(y_test), classes))
    return {
        "chance": {"what": "the shares of the classes", "metrics": class_metrics(every, y_test)},
        "baseline": {"what": what, "metrics": class_metrics(predict_all(model, x_test, classes), y_test)},
    }


def predict_all(model: Any, x: Any, classes: int) -> np.ndarray:
    """Probabilities (N, classes) of a model of scikit-learn, 0 for a class that was not in its rows."""
    probabilities = np.zeros((x.shape[0], classes))
    probabilities[:, model.classes_] = model.predict_proba(x)
    return probabilities


def class_metrics(probabilities: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy and cross-entropy in nats, as ``lit_models.tasks.classifier`` has them, of probabilities (N, C).

    A probability of 0 is replaced by the machine epsilon, as scikit-learn's ``log_loss`` does.
    """
    right = probabilities[np.arange(len(y)), y].clip(np.finfo(np.float64).eps)
    return {"test/acc": float((probabilities.argmax(1) == y).mean()), "test/loss": float(-np.log(right).mean())}


def regression(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, on: str, scale: float = 1.0
) -> dict[str, Any]:
    """``scale``: units of the target in one of a standardized y, as a datamodule gives them."""

    def with_ones(a: np.ndarray) -> np.ndarray:
        return np.concatenate([a, np.ones((len(a), 1))], axis=1)

    y, y_test = y.reshape(len(y), -1).astype(np.float64), y_test.reshape(len(y_test), -1).astype(np.float64)
    weights = np.linalg.lstsq(with_ones(x), y, rcond=None)[0]
    mean = np.broadcast_to(y.mean(0), y_test.shape)
    return {
        "chance": {"what": "the mean of the training targets", "metrics": regression_metrics(mean, y_test, scale)},
        "baseline": {
            "what": f"least squares (numpy {np.__version__}) {on}",
            "metrics": regression_metrics(with_ones(x_test) @ weights, y_test, scale),
        },
    }


def regression_metrics(prediction: np.ndarray, y: np.ndarray, scale: float = 1.0) -> dict[str, float]:
    """The metrics of ``lit_models.tasks.regressor``, of arrays (N, K); one row has no R2. ``scale``: as there."""
    from sklearn.metrics import r2_score

    mse = float(np.square(prediction - y).mean())
    r2 = {"test/r2": float(r2_score(y, prediction))} if len(y) > 1 else {}
    return {"test/loss": mse / 2, "test/rmse": mse**0.5 * scale, **r2}


def table(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, on: str) -> dict[str, Any]:
    """``trees``, and a ``baseline`` by ridge regression for numbers."""
    from sklearn import __version__
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV

    what = f"boosted trees (scikit-learn {__version__}, defaults) {on}"
    if y.dtype.kind == "i":
        trees = HistGradientBoostingClassifier(random_state=0).fit(x, y)
        probabilities = predict_all(trees, x_test, 1 + max(int(y.max()), int(y_test.max())))
        return {"trees": {"what": what, "metrics": class_metrics(probabilities, y_test)}}
    regressor = HistGradientBoostingRegressor(random_state=0).fit(x, y)
    ridge = RidgeCV(np.logspace(-2, 4, 13)).fit(x, y)  # chooses its penalty on the training rows, each left out once
    return {
        "baseline": {
            "what": f"ridge regression (scikit-learn {__version__}, penalty by leave-one-out) {on}",
            "metrics": regression_metrics(ridge.predict(x_test), y_test),
        },
        "trees": {"what": what, "metrics": regression_metrics(regressor.predict(x_test), y_test)},
    }
