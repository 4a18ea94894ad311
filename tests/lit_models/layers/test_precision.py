"""Where half precision is too coarse: what is computed in full, and in which type it comes back."""

import pytest
import torch

from lit_models.layers.precision import at_least_float32, full_precision


def test_products_are_in_full_precision_under_autocast() -> None:
    a = torch.full((1, 1), 1 + 2**-12)
    with torch.autocast("cpu", torch.bfloat16):
        assert (a @ a).dtype == torch.bfloat16
        with full_precision(a):
            assert torch.equal(a @ a, a * a)


@pytest.mark.parametrize(
    ("given", "kept"), [(torch.bfloat16, torch.float32), (torch.float32,) * 2, (torch.float64,) * 2]
)
def test_nothing_loses_digits(given: torch.dtype, kept: torch.dtype) -> None:
    assert at_least_float32(torch.zeros(1, dtype=given)).dtype == kept
