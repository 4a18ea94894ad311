"""The network on spectrograms: the battery, time and pitch, what it refuses."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.audio.mel_cnn import LitMelCNN
from tests.battery import ADAM, ClassifierBattery


class TestLitMelCNN(ClassifierBattery):
    parameters = 9 * (8 + 8 * 16) + 2 * (8 + 16) + 16 * 10 * 10 + 10

    def model(self) -> LitMelCNN:
        return LitMelCNN(num_samples=1600, channels=(8, 16), num_masks=0, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.randn(8, 1600), torch.arange(8)


def tones(*hertz: float) -> Tensor:
    return torch.stack([torch.sin(2 * torch.pi * h * torch.arange(4000) / 8000) for h in hertz])


def test_moving_in_time_is_the_same_sound_and_in_pitch_another() -> None:
    net = LitMelCNN(num_samples=4000).net.eval()
    click = torch.zeros(1, 4000)
    click[:, 1600:1900] = torch.randn(300)
    later, still = net(click.roll(640, 1)), net(click)  # 8 frames, one cell after three poolings
    high, low = net(tones(2000.0, 500.0))
    assert (later - still).abs().max() < 0.1 * (high - low).abs().max()


def test_masks_are_drawn_in_training_alone() -> None:
    model, x = LitMelCNN(num_samples=4000), torch.randn(2, 4000)
    assert torch.equal(model.eval()(x), model(x))
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    assert not torch.equal(model(x), model(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 128}, "num_samples is 128: .* at least 560"),
        ({"num_samples": 500, "hop": 20, "n_fft": 2048, "n_mels": 64}, "at least 1025"),
        ({"n_mels": 4, "n_fft": 256}, "n_mels is 4: 3 poolings need at least 8"),
    ],
)
def test_impossible_sizes_are_refused_with_the_least(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LitMelCNN(**arguments)


def test_least_length_works() -> None:
    assert LitMelCNN(num_samples=560).eval()(torch.randn(2, 560)).shape == (2, 10)
    with pytest.raises(RuntimeError):
        LitMelCNN(num_samples=560).eval()(torch.randn(2, 559))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_it_runs_in_other_precisions(dtype: torch.dtype) -> None:
    model = LitMelCNN(num_samples=4000).eval()
    expected = model(tones(2000.0, 500.0))
    found = model.to(dtype)(tones(2000.0, 500.0).to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)
