"""Noise schedules: their ends, their numbers, the levels that samplers visit."""

import math

import pytest
import torch

from common.messages import UserError
from lit_models.functional.noise_schedules import CLEAN, NoiseSchedule, Spacing, at_sigma, betas_of


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
def test_variance_is_kept_and_data_is_lost(kind: str) -> None:
    schedule = NoiseSchedule(kind)  # type: ignore[arg-type]
    torch.testing.assert_close(schedule.a**2 + schedule.s**2, torch.ones(1000, dtype=torch.float64))
    assert bool((schedule.a.diff() < 0).all()) and float(schedule.s[0]) < 0.05 and float(schedule.a[-1]) < 0.1
    torch.testing.assert_close(schedule.betas, betas_of(kind, 1000))  # type: ignore[arg-type]


def test_linear_schedule_is_as_noisy_at_the_end_with_fewer_levels() -> None:
    few, many = NoiseSchedule("linear", 100), NoiseSchedule("linear", 1000)
    assert abs(float(few.a[-1]) - float(many.a[-1])) < 0.002


def test_with_zero_terminal_snr_no_data_is_left() -> None:
    schedule = NoiseSchedule("scaled_linear", zero_snr=True)
    assert float(schedule.a[-1]) == 0 and float(schedule.s[-1]) == 1
    assert float(NoiseSchedule("scaled_linear").a[-1]) > 0.05  # the trap: sampling begins with a = 0
    torch.testing.assert_close(schedule.a[0], NoiseSchedule("scaled_linear").a[0])


def test_flow_is_a_straight_line_to_noise() -> None:
    schedule = NoiseSchedule("flow", 10)
    torch.testing.assert_close(schedule.a + schedule.s, torch.ones(10, dtype=torch.float64))
    assert float(schedule.a[-1]) == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_tables_have_at_least_single_precision(dtype: torch.dtype) -> None:
    a, s = NoiseSchedule().at(torch.tensor([0, 999]), torch.zeros(2, 3, 4, 4, dtype=dtype))
    assert a.shape == s.shape == (2, 1, 1, 1)
    assert a.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert 0.9999 < float(a[0]) < 1  # in bfloat16 it would be 1


def test_spacings_begin_and_end_where_they_should() -> None:
    schedule = NoiseSchedule()
    names: list[Spacing] = ["trailing", "leading", "linspace", "karras"]
    ends: dict[str, list[float]] = {name: [level.t for level in schedule.levels(10, name)] for name in names}
    assert ends["trailing"][0] == 999 and ends["trailing"][-2] == 99
    assert ends["leading"][0] == 900 and ends["leading"][-2] == 0
    for name in ("linspace", "karras"):
        assert math.isclose(ends[name][0], 999) and math.isclose(ends[name][-2], 0, abs_tol=1e-9)
    assert all(values[-1] == CLEAN.t and values == sorted(values, reverse=True) for values in ends.values())
    assert [level.t for level in schedule.levels(1000)] == [*range(999, -1, -1), -1.0]


def test_between_two_levels_sigma_is_interpolated() -> None:
    schedule = NoiseSchedule()
    low, middle, high = (schedule.level(t).sigma for t in (500, 500.25, 501))
    assert math.isclose(middle, 0.75 * low + 0.25 * high)
    assert math.isclose(schedule.sigma_to_t(at_sigma(low, 0).sigma), 500, abs_tol=1e-6)
    flow = NoiseSchedule("flow", 10).level(2.5)
    assert math.isclose(flow.s, 0.35) and math.isclose(flow.a, 0.65)


def test_noise_is_added_by_level() -> None:
    schedule, x = NoiseSchedule(), torch.ones(2, 3)
    noisy = schedule.add_noise(x, torch.zeros(2, 3), torch.tensor([0, 999]))
    torch.testing.assert_close(noisy[:, 0].double(), schedule.a[[0, 999]], atol=1e-6, rtol=0)


def test_numbers_out_of_range_are_one_line() -> None:
    for steps in (0, 1001):
        with pytest.raises(UserError, match="give 1 to 1000"):
            NoiseSchedule().levels(steps)
    with pytest.raises(UserError, match="at least 2 noise levels"):
        NoiseSchedule(num_timesteps=1)
    with pytest.raises(UserError, match="karras"):
        NoiseSchedule("flow").levels(5, "karras")
