"""Log-mel spectrograms against scipy, torch and transformers; what they do not mind."""

import numpy as np
import pytest
import torch
from scipy import signal

from lit_models.audio.spectrogram import LogMel, hertz_to_mel, mel_filters, mel_to_hertz, power_spectrogram


def test_power_spectrogram_is_scipys() -> None:
    x = torch.randn(1000).double()
    transform = signal.ShortTimeFFT(signal.get_window("hann", 256), hop=80, fs=1, fft_mode="onesided")
    padded = np.pad(x.numpy(), 128, mode="reflect")
    frames = [transform.stft(padded[80 * k : 80 * k + 256], p0=0, p1=1, k_offset=128) for k in range(13)]
    mine = power_spectrogram(x[None], 256, 80)[0]
    np.testing.assert_allclose(mine.numpy(), np.abs(np.concatenate(frames, axis=1)) ** 2, rtol=1e-9, atol=1e-9)


def test_power_spectrogram_is_torchs() -> None:
    x = torch.randn(2, 1003).double()
    theirs = torch.stft(x, 256, 80, window=torch.hann_window(256, dtype=x.dtype), return_complex=True).abs().square()
    torch.testing.assert_close(power_spectrogram(x, 256, 80), theirs)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_filters_are_those_of_transformers(scale: str) -> None:
    from transformers.audio_utils import mel_filter_bank

    norm = "slaney" if scale == "slaney" else None
    theirs = mel_filter_bank(129, 20, 50.0, 3800.0, 8000, norm=norm, mel_scale=scale)
    mine = mel_filters(256, 20, 8000, 50.0, 3800.0, scale)  # type: ignore[arg-type]
    np.testing.assert_allclose(mine.T.numpy(), theirs, atol=1e-12)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_goes_back_to_hertz(scale: str) -> None:
    hertz = torch.tensor([0, 100, 999, 1000, 1001, 8000.0]).double()
    torch.testing.assert_close(mel_to_hertz(hertz_to_mel(hertz, scale), scale), hertz)  # type: ignore[arg-type]
    assert float(hertz_to_mel(torch.tensor(1000.0))) == pytest.approx(1000, abs=0.1)  # by definition of the htk scale


def test_filters_between_two_frequencies_are_refused() -> None:
    with pytest.raises(ValueError, match=r"n_mels is 128: .* fewer filters or a larger n_fft"):
        mel_filters(256, 128, 8000)


def test_a_tone_lights_up_its_own_band() -> None:
    front = LogMel(8000)
    time = torch.arange(4000) / 8000
    centers = mel_to_hertz(torch.linspace(0, float(hertz_to_mel(torch.tensor(4000.0))), 42))[1:-1]
    for hertz in (500.0, 1000.0, 3000.0):
        bands = front(torch.sin(2 * torch.pi * hertz * time)[None])[0, 0].mean(1)
        assert abs(float(centers[bands.argmax()]) - hertz) < 0.08 * hertz


def test_loudness_does_not_matter_and_silence_is_finite() -> None:
    front, x = LogMel(8000), torch.randn(3, 2000)
    torch.testing.assert_close(front(x), front(0.01 * x), atol=1e-3, rtol=1e-3)
    assert front(torch.zeros(1, 2000)).isfinite().all()


def test_gradients_reach_the_waveform_and_silence_gives_no_nan() -> None:
    for x in (torch.randn(1, 2000), torch.zeros(1, 2000)):
        x.requires_grad_()
        LogMel(8000)(x).square().sum().backward()
        assert x.grad is not None and x.grad.isfinite().all()


def test_it_stays_in_single_precision_under_autocast() -> None:
    front, x = LogMel(8000), torch.randn(2, 2000)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(front(x), front(x.clone())) and front(x).dtype == torch.float32
        autocast = front(x)
    assert torch.equal(autocast, front(x))


def test_filters_are_no_part_of_a_checkpoint() -> None:
    assert not LogMel(8000).state_dict()
