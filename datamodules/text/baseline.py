"""What a simple model makes of texts with a class: logistic regression on TF-IDF."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from datamodules.text.labeled_text import split_text

MAX_TEXTS = 20_000  # the fit is to take seconds


class TfidfBaseline:
    """For a datamodule of texts with a class each, before the base that holds its ``splits``.

    Attributes:
        texts: The texts of train and test, which the datamodule keeps.
        weighted_f1: See ``text_baselines``.
    """

    texts: dict[str, list[str]]
    splits: dict[str, tuple[Tensor, ...]]
    weighted_f1 = False

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Chance, and logistic regression on TF-IDF of words and pairs of words."""
        y = {name: self.splits[name][1].numpy() for name in ("train", "test")}
        return text_baselines(self.texts["train"], y["train"], self.texts["test"], y["test"], self.weighted_f1)


def text_baselines(
    texts: Sequence[str],
    y: np.ndarray,
    test_texts: Sequence[str],
    y_test: np.ndarray,
    weighted_f1: bool = False,
) -> dict[str, dict[str, Any]]:
    """``chance``, the most frequent class, and ``baseline``, logistic regression on TF-IDF of words and word pairs.

    Args:
        texts, y: Of training.
        test_texts, y_test: Of the test.
        weighted_f1: Whether the F1 of the classes, weighted by their frequencies, is given too (``test/f1``).
    """
    import sklearn
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = np.random.default_rng(0).permutation(len(texts))[:MAX_TEXTS]
    vectorizer = TfidfVectorizer(
        tokenizer=lambda text: split_text(text, "word"), token_pattern=None, lowercase=False, ngram_range=(1, 2)
    )
    model = make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=200))
    model.fit([texts[i] for i in rows], y[rows])
    shares = np.bincount(y) / len(y)
    probabilities = model.predict_proba(list(test_texts))
    some = "" if len(rows) == len(texts) else f" of {len(rows):,} texts"
    what = f"logistic regression on TF-IDF of words and word pairs{some} (scikit-learn {sklearn.__version__})"
    every = np.broadcast_to(shares, (len(y_test), len(shares)))
    found: dict[str, dict[str, Any]] = {
        "chance": {"what": "the shares of the classes", "metrics": metrics(every, np.arange(len(shares)), y_test)},
        "baseline": {"what": what, "metrics": metrics(probabilities, model.classes_, y_test)},
    }
    if weighted_f1:
        from sklearn.metrics import f1_score

        guesses = {"chance": every.argmax(1), "baseline": model.classes_[probabilities.argmax(1)]}
        for name, guess in guesses.items():
            found[name]["metrics"]["test/f1"] = float(f1_score(y_test, guess, average="weighted", zero_division=0))
    return found


def metrics(probabilities: np.ndarray, classes: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy and cross-entropy in nats of probabilities (N, C) of ``classes`` (C,)."""
    right = np.where(classes == y[:, None], probabilities, 0).sum(1).clip(np.finfo(np.float64).eps)
    return {
        "test/acc": float((classes[probabilities.argmax(1)] == y).mean()),
        "test/loss": float(-np.log(right).mean()),
    }
