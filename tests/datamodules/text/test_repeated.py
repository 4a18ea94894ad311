"""Repeated tokens: only what can be known is an answer."""

import random

import pytest

from common.messages import UserError
from datamodules.text.repeated import RepeatedTokens


def test_answers_are_the_repetitions_without_the_first_token() -> None:
    row = RepeatedTokens(30, 5, 5, 31, 12).row(random.Random(0))
    tokens, answers = [token for token, _ in row], [answer for _, answer in row]
    assert len(row) == 13 and len(set(tokens[:5])) == 5
    assert tokens == [tokens[i % 5] for i in range(13)]
    assert answers == [False] * 6 + [True] * 7


def test_lengths_of_segments_differ() -> None:
    data, draw = RepeatedTokens(), random.Random(0)
    assert len({next(i for i, (_, answer) in enumerate(data.row(draw)) if answer) for _ in range(50)}) > 8


def test_segments_that_do_not_repeat_are_refused() -> None:
    with pytest.raises(UserError, match="does not repeat"):
        RepeatedTokens(seq_len=20)
    with pytest.raises(UserError, match="give 2 to"):
        RepeatedTokens(min_length=1)
