"""Windows of a series: their order, their split, and the baselines."""

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.tabular.series import CO2, Series, Sunspots


class Ramp(Series):
    def values(self) -> np.ndarray:
        return np.arange(100.0)


def test_no_target_is_in_two_parts() -> None:
    data = Ramp(num_features=3, num_outputs=5)
    data.setup("fit")
    back = {name: split[1] * data.scale + data.mean for name, split in data.splits.items() if len(split) == 2}
    sets = {name: set(y.round().int().flatten().tolist()) for name, y in back.items()}
    assert (
        sets["train"] == set(range(3, 60)) and sets["val"] == set(range(60, 80)) and sets["test"] == set(range(80, 100))
    )


def test_windows_are_followed_by_their_targets() -> None:
    data = Ramp(num_features=3, num_outputs=5)
    data.setup("test")
    x, y = data.splits["test"]
    step = 1 / data.scale
    torch.testing.assert_close(torch.cat([x, y], 1).diff(dim=1), torch.full((16, 7), step), atol=1e-5, rtol=0)
    assert abs(data.splits["train"][1].mean()) < 0.2 and y.min() > 1, "standardized by the training part"


def test_least_squares_follows_a_ramp_and_persistence_falls_behind() -> None:
    data = Ramp(num_features=3, num_outputs=16)
    data.setup("test")
    data.setup("fit")
    found = data.baselines()
    assert found["baseline"]["metrics"]["test/rmse_16"] < 1e-4
    assert found["chance"]["metrics"]["test/rmse_16"] == pytest.approx(16, rel=1e-4), "in the units of the series"


def test_the_seasonal_baseline_is_the_last_known_period() -> None:
    class Saw(Series):
        def values(self) -> np.ndarray:
            return (np.arange(200) % 7).astype(float)

    data = Saw(num_features=3, num_outputs=16, period=7)
    data.setup("test")
    assert data.baselines()["chance"]["metrics"]["test/rmse_16"] < 1e-6
    wrong = Saw(num_features=3, num_outputs=16, period=6)
    wrong.setup("test")
    assert wrong.baselines()["chance"]["metrics"]["test/rmse_16"] > 0.1


def test_the_real_series() -> None:
    sun, co2 = Sunspots(), CO2()
    assert len(sun.values()) == 309 and sun.values().max() == pytest.approx(190.2)
    assert len(co2.values()) == 526 and not np.isnan(co2.values()).any() and 310 < co2.values().min() < 320


def test_forecasts_are_told_in_the_units_of_the_series() -> None:
    data = CO2()
    data.setup("test")
    last = data.in_units("forecast", data.splits["test"][1])[-1, -1]
    assert float(last) == pytest.approx(data.values()[-1], abs=1e-4)
    assert data.in_units("label", last) is last


def test_a_used_model_keeps_the_mean_and_scale_that_it_was_trained_with() -> None:
    """A series that has grown since has another mean."""

    class Longer(Ramp):
        def values(self) -> np.ndarray:
            return np.arange(200.0)

    then, now = Ramp(num_features=3, num_outputs=5), Longer(num_features=3, num_outputs=5)
    then.setup("fit")
    now.load_processor(then.processor())
    now.setup("predict")
    assert (now.mean, now.scale) == (then.mean, then.scale)
    torch.testing.assert_close(
        now.in_units("forecast", now.splits["predict"][0])[-1, -1].item(), 194.0, atol=1e-3, rtol=0
    )


def test_too_short_a_series_is_refused() -> None:
    with pytest.raises(UserError, match="too few for"):
        Ramp(num_features=3, num_outputs=64).setup("fit")
