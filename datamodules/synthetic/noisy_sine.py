"""sin(0.01 t) with noise of standard deviation 0.2: the book's series of 9.1. The best one-step error is the noise."""

from typing import Any

import numpy as np

from datamodules.tabular.series import Series


class NoisySine(Series):
    """1,000 values, three fifths for training as in the book.

    Args:
        length: Number of values.
        noise: Standard deviation of the noise.
        num_features, num_outputs: See ``Series``.
        **series: See ``Series``.
    """

    def __init__(
        self, length: int = 1000, noise: float = 0.2, num_features: int = 4, num_outputs: int = 64, **series: Any
    ) -> None:
        super().__init__(num_features, num_outputs, **series)
        self.length, self.noise = length, noise

    def values(self) -> np.ndarray:
        draw = np.random.default_rng(1)  # a fixed series, independent of the run's seed
        return np.sin(0.01 * np.arange(1, self.length + 1)) + self.noise * draw.standard_normal(self.length)
