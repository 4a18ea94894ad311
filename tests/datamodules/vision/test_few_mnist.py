"""Few digits: as many as asked for, classes alike, another subset for another number, the same test."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.few_mnist import FewMNIST5k
from datamodules.vision.mnist import MNIST5k


def test_subsets_have_their_size_and_the_classes_alike_and_differ() -> None:
    first, again, other = (FewMNIST5k(100, subset).load("fit") for subset in (0, 0, 1))
    assert len(first["train"][0]) == 100 and first["train"][1].bincount().tolist() == [10] * 10
    assert torch.equal(first["train"][0], again["train"][0]) and not torch.equal(first["train"][0], other["train"][0])
    whole = MNIST5k().load("fit")
    known = {tuple(picture.flatten().tolist()) for picture in whole["train"][0]}
    assert all(tuple(picture.flatten().tolist()) in known for picture in first["train"][0])
    assert all(torch.equal(a, b) for name in ("val", "test") for a, b in zip(first[name], whole[name], strict=True))


@pytest.mark.parametrize("rows", [9, 3500])
def test_a_number_out_of_range_is_refused(rows: int) -> None:
    with pytest.raises(UserError, match="from 10 to 3490"):
        FewMNIST5k(rows)
