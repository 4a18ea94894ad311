"""Raw samples in pieces."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from common.messages import UserError
from datamodules.audio.pcm import PCM, StreamResampler, looks_interleaved

VALUES = np.array([0.0, 0.5, -0.5, -1.0])


@pytest.mark.parametrize("kind", ["u8", "s16le", "s24le", "s32le", "f32le"])
def test_bytes_of_each_width_become_samples_in_pieces_of_any_length(kind: str) -> None:
    whole = {
        "u8": (VALUES * 128 + 128).astype("u1").tobytes(),
        "s16le": (VALUES * 2**15).astype("<i2").tobytes(),
        "s24le": b"".join(int(v * 2**23).to_bytes(3, "little", signed=True) for v in VALUES),
        "s32le": (VALUES * 2**31).astype("<i4").tobytes(),
        "f32le": VALUES.astype("<f4").tobytes(),
    }[kind]
    for size in (1, 3, 100):
        pcm = PCM(kind, 1)
        pieces = [pcm.samples(whole[at : at + size]) for at in range(0, len(whole), size)]
        np.testing.assert_allclose(np.concatenate(pieces), VALUES)
        assert pcm.rest == b""


def test_channels_are_averaged_and_half_a_frame_waits() -> None:
    pcm = PCM("s16le", 2)
    data = np.array([16384, 0, -16384, -16384, 1], "<i2").tobytes()
    assert pcm.samples(data).tolist() == [0.25, -0.5] and len(pcm.rest) == 2
    with pytest.raises(UserError, match="not finite"):
        PCM("f32le", 1).samples(np.array([np.nan], "<f4").tobytes())


@pytest.mark.parametrize(("rate", "target"), [(44100, 8000), (16000, 8000), (8000, 16000), (11025, 8000), (8000, 8000)])
def test_a_resampled_stream_has_no_seam(rate: int, target: int) -> None:
    x = np.random.default_rng(0).standard_normal(6001).astype(np.float32)
    stream, parts = StreamResampler(rate, target), []
    for at in range(0, len(x), 700):
        parts.append(stream.resample(x[at : at + 700]))
    parts.append(stream.resample(np.zeros(0, np.float32), last=True))
    ratio = np.gcd(rate, target)
    whole = x if rate == target else resample_poly(x, target // ratio, rate // ratio)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    assert len(parts[1])  # it does not wait for the end


def test_two_channels_that_were_taken_for_one_are_noticed() -> None:
    x = np.random.default_rng(0).standard_normal(4000) * 0.1
    tone = np.sin(np.arange(4000) / 3)
    assert looks_interleaved(np.repeat(x, 2)) and looks_interleaved(np.stack([tone, 0 * tone], 1).ravel())
    assert looks_interleaved(np.stack([x, x + 0.005 * tone], 1).ravel())
    assert not looks_interleaved(x) and not looks_interleaved(tone) and not looks_interleaved(np.zeros(4000))
