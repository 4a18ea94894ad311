"""The cache of keys and values: what it returns, how it grows, the ring."""

import pytest
import torch
from torch import Tensor

from lit_models.layers.kv_cache import DecoderState, KVCache


def rows(*positions: int) -> Tensor:
    """Keys and values (2, 2, T, 1) that say their position and their row."""
    values = torch.tensor(positions, dtype=torch.float32)[None, None, :, None]
    return values + torch.tensor([0.0, 100.0])[:, None, None, None] + torch.zeros(2, 2, len(positions), 1)


def held(pairs: Tensor) -> list[int]:
    return pairs[0, 0, :, 0].int().tolist()


@pytest.mark.parametrize("capacity", [1, 3, 100])
def test_returns_all_that_was_added_in_order(capacity: int) -> None:
    cache = KVCache(capacity=capacity)
    assert held(cache.append(rows(0, 1, 2))) == [0, 1, 2]
    for t in range(3, 9):
        assert held(cache.append(rows(t))) == list(range(t + 1))
    assert cache.length == 9


def test_a_step_within_the_capacity_moves_nothing() -> None:
    cache = KVCache(capacity=8)
    before = cache.append(rows(0)).data_ptr()
    assert all(cache.append(rows(t)).data_ptr() == before for t in range(1, 8))


@pytest.mark.parametrize("first", [1, 2, 3, 4, 7])
def test_a_ring_holds_the_newest(first: int) -> None:
    cache = KVCache(window=3)
    given = cache.append(rows(*range(first)))
    assert held(given) == list(range(first))  # the first queries look at their own windows of these
    for t in range(first, first + 7):
        assert sorted(held(cache.append(rows(t)))) == list(range(max(0, t - 2), t + 1))
        assert held(cache.contents()) == list(range(max(0, t - 2), t + 1))
    assert cache.pairs.shape[2] == 3


def test_several_tokens_after_a_full_ring_come_in_order() -> None:
    cache = KVCache(window=3)
    for t in range(5):
        cache.append(rows(t))
    assert held(cache.append(rows(5, 6))) == [2, 3, 4, 5, 6]
    assert held(cache.contents()) == [4, 5, 6] and cache.length == 7


@pytest.mark.parametrize("index", [[1, 0], [1, 1], [0, 0, 1, 1]])
def test_reordering_replaces_rows(index: list[int]) -> None:
    state = DecoderState(1)
    state.own[0].append(rows(0, 1))
    assert state.reorder(torch.tensor(index)) is state
    assert state.own[0].contents()[:, 0, 1, 0].tolist() == [1 + 100 * i for i in index]
    assert state.own[0].append(rows(2).new_zeros(len(index), 2, 1, 1)).shape == (len(index), 2, 3, 1)


def test_reordering_reaches_every_layer_the_memory_and_the_tokens() -> None:
    state = DecoderState(2, with_memory=True)
    for cache in (*state.own, *state.memory):
        cache.append(rows(0))
    state.remember(torch.tensor([[1, 2], [3, 4]]), 5)
    state.reorder(torch.tensor([1, 1]))
    assert all(cache.contents()[:, 0, 0, 0].tolist() == [100, 100] for cache in (*state.own, *state.memory))
    assert state.tokens is not None and state.tokens.tolist() == [[3, 4], [3, 4]]


def test_the_newest_tokens_are_remembered_and_stay_when_the_caches_are_emptied() -> None:
    state = DecoderState(2, with_memory=True)
    for token in range(5):
        state.remember(torch.tensor([[token]]), 3)
        for cache in (*state.own, *state.memory):
            cache.append(rows(token))
    assert state.tokens is not None and state.tokens.tolist() == [[2, 3, 4]] and state.length == 5
    state.forget()
    assert state.tokens.tolist() == [[2, 3, 4]]
    assert [cache.length for cache in (*state.own, *state.memory)] == [0] * 4
    assert held(state.own[1].append(rows(7))) == [7]


def test_a_state_has_a_cache_for_each_attention() -> None:
    state = DecoderState(2, with_memory=True)
    assert state.layer(1) == (state.own[1], state.memory[1]) and DecoderState(2).layer(0)[1] is None


def test_beams_of_one_source_move_without_the_memory() -> None:
    state = DecoderState(1, with_memory=True)
    own, memory = state.layer(0)
    own.append(torch.arange(4.0).reshape(4, 1, 1, 1))
    assert memory is not None
    memory.append(torch.tensor([5.0, 5.0, 6.0, 6.0]).reshape(4, 1, 1, 1))
    state.reorder_beams(torch.tensor([1, 1, 3, 2]))
    assert own.contents().flatten().tolist() == [1, 1, 3, 2]
    assert memory.contents().flatten().tolist() == [5, 5, 6, 6]
