"""The tree: optimal, prefix-free, deterministic."""

import heapq

import pytest
import torch

from common.messages import UserError
from lit_models.embeddings.huffman import huffman_codes, path_tables

COUNTS = (40, 21, 9, 9, 5, 2, 1)


def test_expected_length_is_the_least_possible() -> None:
    """The sum of all merged counts is the length of Huffman's code, whatever the ties."""
    heap, least = list(COUNTS), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        least += merged
        heapq.heappush(heap, merged)
    assert sum(n * len(path) for n, (path, _) in zip(COUNTS, huffman_codes(COUNTS), strict=True)) == least


def test_no_word_is_on_the_way_to_another_and_all_begin_at_the_root() -> None:
    codes = huffman_codes(COUNTS)
    texts = ["".join(map(str, map(int, turns))) for _, turns in codes]
    assert not [(a, b) for a in texts for b in texts if a != b and b.startswith(a)]
    assert {nodes[0] for nodes, _ in codes} == {len(COUNTS) - 2}


def test_gensim_has_codes_of_the_same_lengths() -> None:
    from gensim.models.word2vec import Word2Vec

    text = [[f"w{k}"] * n for k, n in enumerate(COUNTS)]
    model = Word2Vec(hs=1, negative=0, min_count=1, vector_size=2)
    model.build_vocab(text)
    theirs = [len(model.wv.get_vecattr(f"w{k}", "code")) for k in range(len(COUNTS))]
    assert sorted(theirs) == sorted(len(nodes) for nodes, _ in huffman_codes(COUNTS))  # ties are in another order


def test_tables_end_with_minus_one_and_words_that_do_not_occur_have_no_path() -> None:
    nodes, turns = path_tables(COUNTS, 9, 10)
    assert nodes.shape == turns.shape == (9, 10)
    assert (nodes[7:] == -1).all() and nodes[0].tolist()[1:] == [-1] * 9
    assert torch.equal((nodes >= 0).sum(1)[:7], torch.tensor([len(n) for n, _ in huffman_codes(COUNTS)]))


def test_a_tree_deeper_than_the_table_is_one_line() -> None:
    with pytest.raises(UserError, match=r"model\.max_depth is 3"):
        path_tables([2**k for k in range(8)], 8, 3)
