"""Telephone keys: the tones have the standard frequencies, and a detector that knows them is nearly perfect."""

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.audio.keypad import COLUMNS, KEYS, ROWS, Keypad, detect


def ready(**arguments: object) -> Keypad:
    data = Keypad(**({"num_train": 320, "num_eval": 320} | arguments))  # type: ignore[arg-type]
    data.setup("fit")
    data.setup("test")
    return data


def test_a_key_sounds_its_row_and_its_column() -> None:
    x, y = ready(snr=60.0).splits["train"]
    spectrum = np.abs(np.fft.rfft(x.numpy().astype(float), n=16000))  # half a hertz a bin
    for row in range(32):
        peak = [np.argmax(spectrum[row, 2 * low : 2 * high]) / 2 + low for low, high in ((600, 1050), (1100, 1750))]
        key = int(y[row])
        assert peak[0] == pytest.approx(ROWS[key // 4], rel=0.02) and peak[1] == pytest.approx(
            COLUMNS[key % 4], rel=0.02
        )


def test_keypad_is_laid_out_as_on_a_telephone() -> None:
    assert [KEYS[4 * row : 4 * row + 4] for row in range(4)] == ["123A", "456B", "789C", "*0#D"]


def test_all_keys_are_equally_frequent_and_splits_differ() -> None:
    data = ready()
    for split in ("train", "val", "test"):
        assert data.splits[split][1].bincount().tolist() == [20] * 16
    assert not torch.equal(data.splits["val"][0], data.splits["test"][0])


def test_the_detector_is_nearly_perfect_and_noise_lowers_its_accuracy() -> None:
    heard = {}
    for snr in (-10.0, -16.0):
        x, y = ready(snr=snr).splits["test"]
        heard[snr] = (detect(x.numpy(), 8000) == y.numpy()).mean()
    assert heard[-10.0] > 0.96 > 0.75 > heard[-16.0]


@pytest.mark.parametrize("snr", [10.0, -10.0])
def test_noise_has_the_stated_power(snr: float) -> None:
    x = ready(snr=snr, num_train=1600).splits["train"][0].double()
    noise = x[:, -8:].square().mean()  # where hardly any tone sounds still
    tones = x[:, 480:1120].square().mean() / noise - 1  # where all of them do: their power over the noise's
    assert 10 * float(tones.log10()) == pytest.approx(snr, abs=2)


def test_other_numbers_of_classes_and_too_low_rates_are_refused() -> None:
    with pytest.raises(UserError, match="16 keys"):
        Keypad(num_classes=10)
    with pytest.raises(UserError, match="3,316 Hz"):
        Keypad(sample_rate=3000)
