"""Vocabularies, held-out pairs, what a run keeps."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.text.word_corpus import Sentences, WordCorpus, split_cells
from datamodules.text.word_windows import cooccurrences


class Few(WordCorpus):
    def __init__(self, **corpus: Any) -> None:
        super().__init__(**({"vocab_size": 6, "window": 2, "subsample": 0.0, "batch_size": 4} | corpus))

    def sentences(self) -> dict[str, Sentences]:
        lines = [["a", "b", "a", "rare"], ["b", "c", "a"], ["c", "a", "b", "b"]]
        return {"train": lines, "val": [["a", "c", "new"]], "test": [["b", "a"]]}


def test_vocabulary_is_by_frequency_and_rare_words_are_left_out_of_the_text() -> None:
    data = Few(min_count=2)
    data.setup("fit")
    assert data.vocabulary == ["a", "b", "c"] and data.word_counts.tolist() == [4, 4, 2, 0, 0, 0]
    assert data.splits["train"][0].tolist() == [0, 1, 0, 1, 2, 0, 2, 0, 1, 1]
    center, context = data.splits["val"]
    assert center.tolist() == [0, 2] and context.tolist() == [[-1, -1, 2, -1], [-1, 0, -1, -1]]


def test_a_run_keeps_its_vocabulary_and_counts() -> None:
    data, again = Few(vocab_size=2), Few(vocab_size=2)
    data.setup("fit")
    again.load_processor(data.processor())
    again.setup("test")
    assert again.vocabulary == data.vocabulary and torch.equal(again.word_counts, data.word_counts)


def test_batches_of_counts_hold_out_pairs_in_both_orders() -> None:
    words = torch.randint(0, 40, (4000,), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    counts = cooccurrences(words, torch.zeros_like(words), 2, 40)
    parts = split_cells(counts, 0.1)
    pairs = {name: set(zip(rows.tolist(), columns.tolist(), strict=True)) for name, (rows, columns, _) in parts.items()}
    assert sum(map(len, pairs.values())) == len(counts[0])
    assert all({(b, a) for a, b in part} == part for part in pairs.values())
    assert 0.05 < len(pairs["val"]) / len(counts[0]) < 0.15


def test_too_little_text_and_impossible_sizes_are_one_line() -> None:
    with pytest.raises(UserError, match=r"smaller data\.min_count"):
        Few(min_count=9).setup("fit")
    with pytest.raises(UserError, match=r"data\.window is 0"):
        Few(window=0)
