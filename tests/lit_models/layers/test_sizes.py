"""Sizes that a network refuses, and published widths scaled."""

import pytest

from lit_models.layers.sizes import refuse_small_image, scaled


def test_the_least_size_is_named() -> None:
    refuse_small_image("Net", 32, 32)
    with pytest.raises(ValueError, match="image_size is 31: Net needs at least 32 pixels"):
        refuse_small_image("Net", 31, 32)


@pytest.mark.parametrize(
    ("channels", "width", "multiple", "expected"),
    [(96, 1.0, 1, 96), (96, 0.25, 1, 24), (16, 0.01, 1, 1), (96, 0.3, 4, 28), (90, 0.3, 4, 28), (16, 0.01, 4, 4)],
)
def test_widths_are_rounded_to_a_multiple_and_never_to_nothing(
    channels: int, width: float, multiple: int, expected: int
) -> None:
    assert scaled(channels, width, multiple) == expected
