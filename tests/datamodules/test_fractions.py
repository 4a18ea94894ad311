"""Fractions that leave nothing to train on, to validate or to test."""

import pytest

from common.messages import UserError
from datamodules.fractions import check_fractions


@pytest.mark.parametrize(("val", "test"), [(0.0, 0.1), (0.1, 0.0), (0.5, 0.5), (-0.1, 0.3)])
def test_an_empty_split_is_refused(val: float, test: float) -> None:
    with pytest.raises(UserError, match="leave an empty split: each must be above 0"):
        check_fractions(val, test)


def test_others_are_taken() -> None:
    check_fractions(0.1, 0.89)
