"""Noise levels as vectors."""

import pytest
import torch

from lit_models.layers.time_embedding import TimeEmbedding, time_features


def test_level_zero_is_ones_then_zeros_and_frequencies_fall() -> None:
    assert time_features(torch.tensor([0]), 6).tolist() == [[1, 1, 1, 0, 0, 0]]
    found = time_features(torch.tensor([1.0], dtype=torch.float64), 4)
    angles = torch.tensor([1.0, 0.01], dtype=torch.float64)
    torch.testing.assert_close(found[0], torch.cat([angles.cos(), angles.sin()]))


def test_levels_between_whole_numbers_differ() -> None:
    features = time_features(torch.tensor([3.0, 3.5]), 8)
    assert not torch.allclose(features[0], features[1])


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        time_features(torch.tensor([0]), 5)


def test_embedding_takes_features_of_another_precision() -> None:
    net = TimeEmbedding(4, 6).double()
    assert net(time_features(torch.tensor([1, 2]), 4)).dtype == torch.float64
