"""Needles: each kind once, asked once, and longer rows in the test."""

import random

import pytest
import torch

from common.messages import UserError
from datamodules.text.needles import Needles


def test_each_needle_is_planted_once_and_asked_for_once() -> None:
    row = Needles(kinds=3, seq_len=20).row(random.Random(0), 20)
    tokens, answers = [token for token, _ in row], [token for token, answer in row if answer]
    assert len(row) == 21 and sorted(token[0] for token in answers) == ["a", "b", "c"]
    for answer in answers:
        first = tokens.index(answer)
        assert first < 15 and tokens[tokens.index(f"?{answer[0]}") + 1] == answer
        assert sum(token[0] == answer[0] for token in tokens) == 2


def test_the_test_has_rows_of_doubled_lengths() -> None:
    data = Needles(seq_len=16, test_len=64, train_size=20, val_size=4, test_size=6)
    data.setup("fit")
    lengths = (data.splits["test"][1] >= 0).int() * torch.arange(1, 65)
    assert lengths.amax(1).tolist() == [16, 32, 64] * 2
    assert data.splits["train"][0].shape == (20, 16) and data.seq_len == 16


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match=r"need 12 tokens"):
        Needles(seq_len=10)
    with pytest.raises(UserError, match=r"give at least data[.]seq_len"):
        Needles(test_len=64)
