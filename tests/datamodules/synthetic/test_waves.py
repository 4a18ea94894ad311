"""Two classes of a known probability."""

import torch

from datamodules.synthetic.waves import Waves, probability


def test_classes_occur_as_often_as_their_probability_says() -> None:
    data = Waves(num_test=50_000)
    data.setup("test")
    x, y = data.splits["test"]
    p = probability(x)
    for low in (0.0, 0.4, 0.8):
        near = (p >= low) & (p < low + 0.2)
        assert abs(float(y[near].double().mean() - p[near].mean())) < 0.02


def test_the_best_scores_are_those_that_the_docstring_says() -> None:
    data = Waves(num_test=50_000)
    data.setup("test")
    accuracy, loss = data.best(*data.splits["test"])
    assert abs(accuracy - 0.82) < 0.01 and abs(loss - 0.39) < 0.01


def test_splits_are_different_points() -> None:
    data = Waves()
    data.setup("fit")
    assert not torch.equal(data.splits["train"][0], data.splits["val"][0])
