"""What both data sets for transfer refuse."""

import pytest

from common.messages import UserError
from datamodules.vision.transfer_images import TransferImages


@pytest.mark.parametrize(
    ("per_class", "num_folds", "fold", "message"),
    [
        (0, 0, 0, r"data\.per_class is 0"),
        (1, 0, -1, r"data\.fold is -1: give a whole number of at least 0"),
        (1, 5, 5, "from 0 to 4"),
    ],
)
def test_a_draw_that_does_not_exist_is_refused(per_class: int, num_folds: int, fold: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TransferImages(2, 3, 32, per_class, num_folds, fold)
    assert TransferImages(2, 3, 32, 1, 0, 7).fold == 7
