"""Associative recall: each key is asked once, its value is the answer."""

import random

import pytest

from common.messages import UserError
from datamodules.text.recall import Recall


def test_each_key_is_asked_once_and_answered_by_its_value() -> None:
    data = Recall(pairs=4)
    row = data.row(random.Random(0))
    tokens, answers = [token for token, _ in row], [token for token, answer in row if answer]
    pairs = dict(zip(tokens[0:8:2], tokens[1:8:2], strict=True))
    assert tokens[8] == "." and len(row) == 17 and len(pairs) == 4
    asked = tokens[9::2]
    assert sorted(asked) == sorted(pairs) and answers == tokens[10::2] == [pairs[key] for key in asked]


def test_the_default_sizes_fit_a_row() -> None:
    data = Recall(train_size=20, val_size=5, test_size=5)
    data.setup("fit")
    assert bool((data.splits["train"][1][:, -1] >= 0).all())  # the last target is the last answer


def test_more_pairs_than_keys_are_refused() -> None:
    with pytest.raises(UserError, match=r"give 1 to data[.]keys, which is 32"):
        Recall(pairs=33)
