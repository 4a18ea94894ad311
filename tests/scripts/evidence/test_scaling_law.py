"""The law of scaling: planted numbers come back, predictions and intervals, the best size for a compute."""

import numpy as np
import pytest

from scripts.evidence.scaling_law import Law, bootstrap, fit_law, interval

PLANTED = Law(a=400.0, b=2000.0, e=1.7, alpha=0.4, beta=0.45)
ROWS = [(n, d, PLANTED.loss(n, d)) for n in (1e4, 3e4, 1e5, 3e5, 1e6, 3e6) for d in (1e5, 4e5, 1.6e6)]


def test_a_planted_law_is_found_and_goes_beyond_its_rows() -> None:
    found = fit_law(ROWS)
    assert found.alpha == pytest.approx(0.4, abs=0.02) and found.beta == pytest.approx(0.45, abs=0.02)
    assert found.loss(1e8, 1e8) == pytest.approx(PLANTED.loss(1e8, 1e8), rel=0.03)


def test_the_interval_of_noisy_rows_has_the_truth_and_wider_noise_a_wider_one() -> None:
    draw = np.random.default_rng(0)
    noise = draw.normal(size=len(ROWS))
    widths = []
    for size in (0.002, 0.02):
        rows = [(n, d, loss * (1 + size * e)) for (n, d, loss), e in zip(ROWS, noise, strict=True)]
        law = fit_law(rows)
        low, high = interval(bootstrap(rows, law, times=25), 1e7, 6e6)
        assert low < law.loss(1e7, 6e6) * 1.02 and high > law.loss(1e7, 6e6) * 0.98
        widths.append(high - low)
    assert widths[1] > widths[0]


def test_the_best_size_for_a_compute_has_no_better_neighbor() -> None:
    compute = 1e15
    best = PLANTED.best_parameters(compute)
    losses = [PLANTED.loss(best * k, compute / (6 * best * k)) for k in (0.8, 1.0, 1.25)]
    assert min(losses) == losses[1]


def test_few_rows_have_no_law() -> None:
    with pytest.raises(ValueError, match="4 rows are too few"):
        fit_law(ROWS[:4])
