"""Sounds in memory: scaling, shifts, noise, refused settings."""

import pytest
import torch

from common.messages import UserError
from datamodules.audio.waveforms import Waveforms, random_time_shift


def test_a_batch_is_floats_between_minus_1_and_1() -> None:
    data = Waveforms(2, 4, 8000)
    x, y = data.transform((torch.tensor([[-32767, 0, 32767, 1]], dtype=torch.int16), torch.tensor([1])))
    assert x[0, :3].tolist() == [-1, 0, 1] and y.tolist() == [1]


def test_each_sound_is_moved_by_its_own_distance_and_zeros_come_in() -> None:
    sounds = torch.arange(1.0, 11).expand(200, 10)
    moved = random_time_shift(sounds, 3)
    found = set()
    for row in moved:
        (k,) = [k for k in range(-3, 4) if torch.equal(row, sum_shift(sounds[0], k))]
        found.add(k)
    assert found == set(range(-3, 4))


def sum_shift(x: torch.Tensor, k: int) -> torch.Tensor:
    y = torch.zeros_like(x)
    if k >= 0:
        y[: len(x) - k] = x[k:]
    else:
        y[-k:] = x[:k]
    return y


def test_noise_has_its_size_and_no_augmentation_changes_nothing() -> None:
    x = torch.zeros(10, 1000)
    noisy, _ = Waveforms(2, 1000, 8000, noise=0.1).augment((x, x))
    assert noisy.std() == pytest.approx(0.1, rel=0.05)
    assert Waveforms(2, 1000, 8000).augment((x,))[0] is x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"shift": 1.0}, r"data\.shift"), ({"sample_rate": 0}, r"data\.sample_rate"), ({"num_samples": 0}, "num_samples")],
)
def test_impossible_settings_are_one_line(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Waveforms(**({"num_classes": 2, "num_samples": 10, "sample_rate": 8000} | arguments))  # type: ignore[arg-type]
