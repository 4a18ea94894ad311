"""A Huffman tree over words: the more frequent a word, the shorter its path.

Huffman 1952; Morin and Bengio 2005 for the softmax along a path; Mikolov et al. 2013, 2.1. D2L 15.2.2.
The probability of a word is the product of the decisions on the way to it, so that the probabilities of all words sum
to 1, whatever the scores of the nodes.
"""

import heapq
from collections.abc import Sequence

import torch
from torch import Tensor

from common.messages import UserError


def huffman_codes(counts: Sequence[int]) -> list[tuple[list[int], list[bool]]]:
    """For each word the inner nodes from the root to it, and at each whether the path takes the second branch.

    There is one inner node less than words, numbered from 0; the root is the last one. Of equal counts the words come
    before the nodes, in their order, so that the tree does not depend on chance.

    Args:
        counts: Occurrences of each word; at least two words.
    """
    heap: list[tuple[int, int]] = [(count, word) for word, count in enumerate(counts)]
    heapq.heapify(heap)
    size = len(counts)
    parent = [(0, False)] * (2 * size - 1)
    for node in range(size, 2 * size - 1):
        (first, left), (second, right) = heapq.heappop(heap), heapq.heappop(heap)
        parent[left], parent[right] = (node, False), (node, True)
        heapq.heappush(heap, (first + second, node))
    codes = []
    for word in range(size):
        nodes, turns, here = [], [], word
        while here != 2 * size - 2:
            here, turn = parent[here]
            nodes.append(here - size)
            turns.append(turn)
        codes.append((nodes[::-1], turns[::-1]))
    return codes


def path_tables(counts: Sequence[int], vocab_size: int, depth: int) -> tuple[Tensor, Tensor]:
    """The codes as tables: nodes (vocab_size, depth) int32, -1 after a path's end, and turns (vocab_size, depth).

    Args:
        counts: Of the words that occur; entries of the vocabulary beyond them have no path.
        vocab_size: Rows.
        depth: Columns.

    Raises:
        UserError: A path is longer than ``depth``.
    """
    codes = huffman_codes(counts)
    longest = max(len(nodes) for nodes, _ in codes)
    if longest > depth:
        raise UserError(f"the rarest word is {longest} decisions deep in the Huffman tree: model.max_depth is {depth}")
    nodes = torch.full((vocab_size, depth), -1, dtype=torch.int32)
    turns = torch.zeros(vocab_size, depth, dtype=torch.bool)
    for word, (path, code) in enumerate(codes):
        nodes[word, : len(path)] = torch.tensor(path, dtype=torch.int32)
        turns[word, : len(code)] = torch.tensor(code)
    return nodes, turns
