"""Random tokens that repeat, ``5 9 2 7 8 ... 5 9 2 7 8 ...``: a token's last occurrence tells what comes next.

Olsson et al. 2022, "In-context learning and induction heads". A row is a segment of tokens, all different, that is
repeated up to the end. Its length is drawn for each row, so that no fixed distance predicts anything.
"""

import random
from collections.abc import Sequence
from typing import Any

from common.messages import UserError
from datamodules.text.answers import AnswerData, Row, said


class RepeatedTokens(AnswerData):
    """Tokens ``0``, ``1`` ...; the answers are the tokens of the repetitions, without the first of each row.

    Args:
        tokens: Number of different tokens.
        min_length, longest: Tokens of a segment.
        vocab_size, seq_len: See ``AnswerData``.
        train_size, val_size, test_size: See ``AnswerData``.
        **answers: See ``AnswerData``.
    """

    def __init__(
        self,
        tokens: int = 64,
        min_length: int = 8,
        longest: int = 20,
        vocab_size: int = 65,
        seq_len: int = 40,
        train_size: int = 16_000,
        val_size: int = 100,
        test_size: int = 500,
        **answers: Any,
    ) -> None:
        if not 2 <= min_length <= longest <= tokens:
            raise UserError(f"data.min_length is {min_length}: give 2 to data.longest, which is {longest}")
        if longest + 1 > seq_len:
            raise UserError(f"data.longest is {longest}: a segment does not repeat within data.seq_len {seq_len}")
        self.count, self.min_length, self.longest = tokens, min_length, longest
        super().__init__(vocab_size, seq_len, train_size, val_size, test_size, **answers)

    def symbols(self) -> Sequence[str]:
        return [str(i) for i in range(self.count)] if self.count > 10 else [f"t{i}" for i in range(self.count)]

    def row(self, draw: random.Random) -> Row:
        segment = draw.sample(list(self.symbols()), draw.randint(self.min_length, self.longest))
        again = (segment * (1 + self.seq_len // len(segment)))[: self.seq_len + 1 - len(segment)]
        return said([*segment, again[0]]) + said(again[1:], answer=True)
