"""Strings of keys: what is dialed, how loud the noise is, and the baseline that cuts at silences."""

import numpy as np
import pytest

from common.messages import UserError
from datamodules.audio.key_strings import KeyStrings, cut_and_detect, error_metrics


def ready(**arguments: object) -> KeyStrings:
    data = KeyStrings(**({"num_train": 40, "num_eval": 40} | arguments))  # type: ignore[arg-type]
    data.setup("fit")
    data.setup("test")
    return data


def test_a_string_has_its_keys_in_a_sound_without_noise() -> None:
    data = ready(snr=[60.0])
    sounds, lengths, targets = data.splits["test"]
    true = [[label for label in row if label] for row in targets.tolist()]
    assert {len(row) for row in true} <= set(range(3, 13)) and len({len(row) for row in true}) > 5
    assert cut_and_detect([s[:n] for s, n in zip(sounds.numpy(), lengths.tolist(), strict=True)], 8000) == true
    assert data.baselines()["baseline"]["metrics"] == {"test/label_error": 0, "test/string_error": 0}
    assert data.baselines()["chance"]["metrics"] == {"test/label_error": 1, "test/string_error": 1}


def test_cutting_at_silences_fails_in_noise() -> None:
    data = ready(snr=[-8.0, -2.0])
    found = data.baselines()["baseline"]["metrics"]
    assert found["test/string_error"] > 0.4


def test_noise_has_its_level() -> None:
    rng, data = np.random.default_rng(0), KeyStrings()
    for snr in (-6.0, 6.0):
        sound = data.dial(np.array([3] * 12), snr, rng).astype(float)
        energy = np.square(sound[: len(sound) // 80 * 80].reshape(-1, 80)).mean(1)
        quiet, loud = np.quantile(energy, [0.15, 0.85])
        assert 10 * np.log10(loud / quiet - 1) == pytest.approx(snr, abs=3)


def test_the_parts_of_a_split_are_named() -> None:
    data = ready(snr=[-6.0, 0.0])
    parts = data.subsets["test"]
    assert list(parts) == ["snr_-6", "snr_0", "short", "long"]
    assert sum(parts["snr_-6"]) == 20 and [a != b for a, b in zip(parts["short"], parts["long"], strict=True)]
    sizes = (data.splits["test"][2] > 0).sum(1)
    assert max(n for n, short in zip(sizes.tolist(), parts["short"], strict=True) if short) == 7


def test_errors_are_those_of_the_model() -> None:
    assert error_metrics([[1, 2, 16], [3]], [[1, 16], [3]]) == {"test/label_error": 0.25, "test/string_error": 0.5}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"num_classes": 10}, "16 keys"),
        ({"shortest": 5, "longest": 4}, "data.shortest is 5"),
        ({"snr": []}, "no level"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        KeyStrings(**arguments)  # type: ignore[arg-type]
