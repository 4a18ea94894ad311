"""Digits backwards."""

import random

import pytest

from common.messages import UserError
from datamodules.text.reversed_digits import ReversedDigits


def test_the_answer_is_the_number_backwards_and_a_new_line() -> None:
    data, draw = ReversedDigits(3, 12), random.Random(0)
    lengths = set()
    for _ in range(200):
        row = data.row(draw)
        text, answer = "".join(token for token, _ in row), "".join(token for token, answer in row if answer)
        digits = text.split("=")[0]
        lengths.add(len(digits))
        assert answer == digits[::-1] + "\n" and text == f"{digits}={answer}"
    assert lengths == set(range(3, 13))


def test_the_default_sizes_fit_and_a_chat_asks_as_the_rows_do() -> None:
    data = ReversedDigits(train_size=50, val_size=5, test_size=5)
    data.setup("fit")
    assert data.chat_template.replace("{}", "12") == "12=" and data.chat_stop == "\n"


def test_lengths_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UserError, match=r"give 1 to data[.]longest, which is 3"):
        ReversedDigits(4, 3)
