"""The book's noisy sine."""

import numpy as np

from datamodules.synthetic.noisy_sine import NoisySine


def test_it_is_a_sine_with_noise_of_the_said_size() -> None:
    values = NoisySine().values()
    rest = values - np.sin(0.01 * np.arange(1, 1001))
    assert len(values) == 1000 and abs(rest.std() - 0.2) < 0.02 and abs(rest.mean()) < 0.02
    assert np.array_equal(values, NoisySine().values())


def test_least_squares_beats_persistence_and_not_the_noise() -> None:
    data = NoisySine()
    data.setup("fit")
    data.setup("test")
    found = data.baselines()
    noise = 0.2  # the metrics are in the units of the series
    assert noise < found["baseline"]["metrics"]["test/rmse"] < found["chance"]["metrics"]["test/rmse"]
