"""Blocks of keys and values: tables, sharing, copies before writing, what is free."""

import pytest
import torch

from common.messages import RunError
from lit_models.layers.paged_cache import BlockPool, Paged, PagedStep


def written(text: Paged, pairs: torch.Tensor) -> torch.Tensor:
    """What a layer sees after it has written (1, 2 G, T, d)."""
    step = PagedStep([text], pairs.shape[2])
    found = step.layer(0)[0].append(pairs)
    step.done()
    return found


def test_a_text_has_its_keys_in_their_order_whatever_its_blocks() -> None:
    pool = BlockPool(1, blocks=5, size=3)
    one, other = Paged(pool), Paged(pool)
    x, y = torch.randn(1, 2, 7, 5), torch.randn(1, 2, 4, 5)
    written(one, x[:, :, :2]), written(other, y)
    for t in range(2, 7):  # its second and third blocks are taken when the first one is full
        found = written(one, x[:, :, t : t + 1])
    assert torch.equal(found, x) and sorted(one.blocks + other.blocks) != one.blocks + other.blocks
    assert len(one.blocks) == 3 and len(other.blocks) == 2 and not pool.free


def test_texts_of_different_lengths_see_their_own_keys_only() -> None:
    pool = BlockPool(1, blocks=4, size=2)
    texts = [Paged(pool), Paged(pool)]
    for text, length in zip(texts, (1, 4), strict=True):
        written(text, torch.randn(1, 2, length, 3))
    step = PagedStep(texts, 1)
    assert step.mask[:, 0, 0].tolist() == [[True, True, False, False, False], [True] * 5]
    assert PagedStep([texts[1]], 1, window=2).mask[0, 0, 0].tolist() == [False, False, False, True, True]


def test_a_fork_shares_blocks_until_one_writes() -> None:
    pool = BlockPool(1, blocks=5, size=4)
    text = Paged(pool)
    x = torch.randn(1, 2, 6, 3)
    written(text, x)
    fork = text.fork()
    assert fork.blocks == text.blocks and len(pool.free) == 3
    new = torch.randn(1, 2, 1, 3)
    assert torch.equal(written(fork, new), torch.cat([x, new], 2))
    assert fork.blocks[0] == text.blocks[0] and fork.blocks[1] != text.blocks[1] and len(pool.free) == 2
    assert torch.equal(written(text, 2 * new)[:, :, :6], x)  # what the fork wrote is not in it
    text.end()
    assert len(pool.free) == 3
    fork.end()
    assert sorted(pool.free) == list(range(5))


def test_a_full_pool_is_an_error_that_changes_nothing() -> None:
    pool = BlockPool(1, blocks=2, size=2)
    text = Paged(pool)
    written(text, torch.randn(1, 2, 3, 1))
    with pytest.raises(RunError, match="1 blocks are needed, 0 of 2 are free"):
        text.reserve(2)
    assert len(text.blocks) == 2 and text.length == 3
    with pytest.raises(ValueError, match="one token each"):
        PagedStep([text, Paged(pool)], 2)
