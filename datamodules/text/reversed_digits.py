"""Digits and the same digits from the last to the first: ``3141=1413``. A recurrent state must hold all of them.

Lengths are equally frequent, except for those of which there are few numbers. A longer ``longest`` at test time shows
how far a model goes beyond its training:

    dive test rwkv/reverse --data.min_length 13 --data.longest 16 --data.seq_len 34

The model's ``seq_len`` decides nothing in a recurrent network.
"""

import random
from collections.abc import Sequence
from typing import Any

from common.messages import UserError
from datamodules.text.answers import AnswerData, Row, said


class ReversedDigits(AnswerData):
    """``3141=1413`` and a new line, which ends the answer.

    Args:
        min_length, longest: Digits of a number.
        vocab_size, seq_len: See ``AnswerData``; a row has 2 ``longest`` + 1 tokens before its last.
        train_size, val_size, test_size: See ``AnswerData``.
        **answers: See ``AnswerData``.
    """

    #: How a chat asks: the text around a number, and what ends an answer.
    chat_template, chat_stop = "{}=", "\n"

    def __init__(
        self,
        min_length: int = 1,
        longest: int = 12,
        vocab_size: int = 13,
        seq_len: int = 25,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1000,
        **answers: Any,
    ) -> None:
        if not 1 <= min_length <= longest:
            raise UserError(f"data.min_length is {min_length}: give 1 to data.longest, which is {longest}")
        self.min_length, self.longest = min_length, longest
        super().__init__(vocab_size, seq_len, train_size, val_size, test_size, **answers)

    def symbols(self) -> Sequence[str]:
        return "0123456789=\n"

    def row(self, draw: random.Random) -> Row:
        digits = "".join(draw.choice("0123456789") for _ in range(draw.randint(self.min_length, self.longest)))
        return said(digits + "=") + said(digits[::-1] + "\n", answer=True)
