"""Sounds with transcripts: padding, texts, augmentation."""

import numpy as np
import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.audio.transcribed import Transcribed, padded, to_int16


class Two(Transcribed):
    """Two sounds."""

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.class_names = list("ab")
        split = padded([np.full(5, 100, np.int16), np.full(9, -200, np.int16)], [[1, 2], [2]])
        return dict.fromkeys(("train", "val", "test"), split) | {"predict": split[:2]}


def test_sounds_and_texts_are_padded_and_their_lengths_known() -> None:
    sounds, lengths, targets = padded([np.ones(3, np.int16), np.ones(5, np.int16)], [[1], [2, 1]])
    assert sounds.tolist() == [[1, 1, 1, 0, 0], [1] * 5] and lengths.tolist() == [3, 5]
    assert targets.tolist() == [[1, 0], [2, 1]]
    assert padded([], [])[2].shape == (0, 1)


def test_a_batch_is_cut_to_its_longest_sound() -> None:
    data = Two(2, 8000)
    data.setup("fit")
    x, _, _ = data.transform(tuple(t[:1] for t in data.splits["train"]))
    assert x.shape == (1, 5) and float(x[0, 0]) == pytest.approx(100 / 32767)
    assert data.processor() == {"class_names": ["a", "b"], "sample_rate": 8000}
    assert data.class_counts() == {}


def test_texts_become_labels_and_back() -> None:
    data = Two(2, 8000)
    data.setup("fit")
    assert data.encode("abba") == [1, 2, 2, 1]
    assert data.decode_target(torch.tensor([[1, 2, 2, 0], [0, 0, 0, 0]])) == ["abb", ""]
    with pytest.raises(UserError, match="'c' in 'abc' is none of the characters 'ab'"):
        data.encode("abc")


def test_augmentation_changes_loudness_within_its_range_and_adds_noise() -> None:
    x = 0.1 * torch.ones(500, 4)
    batch = (x, torch.full((500,), 4), torch.ones(500, 1))
    louder = Two(2, 8000, gain=6.0).augment(batch)[0][:, 0] / 0.1
    assert float(louder.min()) >= 10 ** (-0.3) - 1e-4 and float(louder.max()) <= 10**0.3 + 1e-4
    assert float(louder.std()) > 0.2
    noisy = Two(2, 8000, noise=0.02).augment(batch)[0] - x
    assert 0.005 < float(noisy.std()) < 0.02
    with pytest.raises(UserError, match=r"data\.noise is -1"):
        Two(2, 8000, noise=-1)


def test_numbers_of_16_bits_keep_the_sound() -> None:
    assert to_int16(np.array([-1.5, 0, 0.5, 1])).tolist() == [-32767, 0, 16384, 32767]
