"""Blocks of rows; what two processes do with them is in tests/distributed/test_sharded_tables.py."""

import pytest
import torch

from lit_models.recommender.sharded import best_rows, size_of_block


@pytest.mark.parametrize(("rows", "world", "sizes"), [(8, 2, [4, 4]), (7, 2, [4, 3]), (5, 4, [2, 2, 1, 0])])
def test_blocks_are_those_of_torch(rows: int, world: int, sizes: list[int]) -> None:
    assert [size_of_block(rows, world, rank) for rank in range(world)] == sizes
    assert [len(chunk) for chunk in torch.arange(rows).chunk(world)] == [size for size in sizes if size]


def test_a_whole_table_is_refused() -> None:
    with pytest.raises(TypeError, match="for a table that shard_tables divided"):
        best_rows(torch.zeros(1, 2), torch.zeros(3, 2), 1)
