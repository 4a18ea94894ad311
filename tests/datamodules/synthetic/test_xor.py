"""Each split has all points."""

import torch

from datamodules.synthetic.xor import XOR


def test_the_four_points_and_their_parity() -> None:
    splits = XOR().load("fit")
    assert splits["train"][0].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert splits["train"][1].tolist() == [0, 1, 1, 0]
    assert torch.equal(splits["train"][0], splits["test"][0])
