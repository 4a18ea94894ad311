"""Equivariance measured: what shifts, what does not, what mends it."""

import pytest
import torch
from torch import nn

from lit_models.convolution.equivariance import equivariance_error, prediction_consistency, sample_shift, shift
from lit_models.convolution.pooling import BlurPool2d, MaxBlurPool2d


def images() -> torch.Tensor:
    """Smooth random images: what has detail at every scale down to three pixels or so, as photographs have."""
    blur = BlurPool2d(3, stride=1, circular=True)
    return blur(torch.rand(8, 1, 16, 16)).double()


def layer(stride: int = 1, mode: str = "circular") -> nn.Module:
    return nn.Conv2d(1, 4, 3, stride, padding=1, padding_mode=mode).double()


def test_convolution_on_a_ring_shifts_and_its_mean_stays() -> None:
    conv, x = layer(), images()
    assert equivariance_error(conv, x, shift(3, 5), shift(3, 5)) < 1e-12
    assert equivariance_error(lambda x: conv(x).mean((2, 3)), x, shift(3, 5)) < 1e-12


def test_padding_breaks_it_at_the_edges() -> None:
    assert equivariance_error(layer(mode="zeros"), images(), shift(3, 5), shift(3, 5)) > 1e-2


@pytest.mark.parametrize("change", [lambda x: x.flip(-1), lambda x: x.rot90(1, (-2, -1))])
def test_mirrors_and_turns_do_not_carry_over(change: object) -> None:
    conv, x = layer(), images()
    assert equivariance_error(conv, x, change, change) > 0.1  # type: ignore[arg-type]


def test_a_stride_carries_over_whole_strides_alone() -> None:
    conv, x = layer(stride=2), images()
    assert equivariance_error(conv, x, shift(2, 4), shift(1, 2)) < 1e-12
    assert equivariance_error(conv, x, shift(1, 0), sample_shift(0.5, 0)) > 0.03


def test_blurred_pooling_mends_what_max_pooling_breaks() -> None:
    x = images()
    errors = {}
    for name, pool in (("max", nn.MaxPool2d(2)), ("blur", MaxBlurPool2d(3, circular=True).double())):
        assert equivariance_error(pool, x, shift(2, 2), shift(1, 1)) < 1e-12
        errors[name] = equivariance_error(pool, x, shift(1, 1), sample_shift(0.5, 0.5))
    assert errors["blur"] < errors["max"] / 2, errors


def test_sample_shift_by_whole_samples_is_a_shift() -> None:
    x = images()
    torch.testing.assert_close(sample_shift(3, -2)(x), shift(3, -2)(x))


def test_consistency_counts_predictions_that_stay() -> None:
    x = torch.eye(4)
    assert prediction_consistency(lambda x: x, x, lambda x: x.flip(0)) == 0
    assert prediction_consistency(lambda x: x, x, lambda x: 2 * x) == 1
