"""Orthogonal matching pursuit finds sparse codes, and says what it cannot take."""

import pytest
import torch
from torch.nn.functional import normalize

from common.messages import UserError
from lit_models.functional.pursuit import orthogonal_matching_pursuit


def test_codes_of_few_atoms_are_found_exactly() -> None:
    dictionary = normalize(torch.randn(40, 60, dtype=torch.float64), dim=1)
    codes = torch.zeros(5, 40, dtype=torch.float64)
    for row in codes:
        row[torch.randperm(40)[:3]] = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(orthogonal_matching_pursuit(dictionary, codes @ dictionary, 3), codes)


def test_what_is_left_is_orthogonal_to_the_atoms_taken() -> None:
    dictionary = normalize(torch.randn(20, 10, dtype=torch.float64), dim=1)
    signals = torch.randn(4, 10, dtype=torch.float64)
    codes = orthogonal_matching_pursuit(dictionary, signals, 4)
    left = (signals - codes @ dictionary) @ dictionary.T
    assert bool(((codes != 0).sum(1) == 4).all()) and float(left[codes != 0].abs().max()) < 1e-10


@pytest.mark.parametrize(
    ("scale", "nonzero", "says"), [(1.0, 0, "from 1 to 5"), (1.0, 6, "from 1 to 5"), (2.0, 3, "lengths")]
)
def test_bad_input_is_one_line(scale: float, nonzero: int, says: str) -> None:
    with pytest.raises(UserError, match=says):
        orthogonal_matching_pursuit(scale * torch.eye(5), torch.ones(1, 5), nonzero)
