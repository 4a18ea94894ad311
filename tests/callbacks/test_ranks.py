"""Rows of all processes come back in their order."""

import torch

from callbacks.ranks import concatenate, interleave


def test_rows_distributed_to_ranks_come_back_in_order() -> None:
    whole = torch.randn(7, 2)
    assert torch.equal(interleave([whole[rank::3] for rank in range(3)]), whole)


def test_a_rank_with_fewer_rows_than_its_turns_leaves_no_gap() -> None:
    parts = [torch.tensor([0, 2]), torch.tensor([1, 3, 4, 5])]
    assert interleave(parts).tolist() == [0, 1, 2, 3, 4, 5]


def test_shorter_texts_are_filled_up_with_padding() -> None:
    assert concatenate([torch.ones(1, 2, 1), torch.full((1, 1, 3), 2.0)]).tolist() == [
        [[1, 0, 0], [1, 0, 0]],
        [[2, 2, 2], [0, 0, 0]],
    ]
