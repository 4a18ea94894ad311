"""Logistic regression on TF-IDF beside a network of texts."""

import numpy as np

from datamodules.text.baseline import text_baselines


def test_a_word_decides_and_the_shares_of_the_classes_are_chance() -> None:
    texts = [f"a {'good' if i % 4 else 'bad'} film {i % 7}" for i in range(80)]
    y = np.array([int(i % 4 > 0) for i in range(80)])
    found = text_baselines(texts[:60], y[:60], texts[60:], y[60:])
    assert found["baseline"]["metrics"]["test/acc"] == 1.0 and found["chance"]["metrics"]["test/acc"] == 0.75
    assert abs(found["chance"]["metrics"]["test/loss"] - 0.5623) < 1e-3  # the entropy of 3 to 1
