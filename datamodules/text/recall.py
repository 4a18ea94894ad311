"""Multi-query associative recall: remember pairs, and answer what belongs to each key. Arora et al. 2023, "Zoology".

    a3 z7 c1 ... ; z -> 7, a -> 3 ...

A row has ``pairs`` keys with a value each, then every key once more in another order, and the value is the answer. What
a network can recall is limited by the size of its state; attention, which keeps every token, has no such limit.
"""

import random
from collections.abc import Sequence
from typing import Any

from common.messages import UserError
from datamodules.text.answers import AnswerData, Row, said


class Recall(AnswerData):
    """Keys ``k0``, ``k1`` ... and values ``v0``, ``v1`` ... : ``k4 v1 k0 v7 . k0 v7 k4 v1``.

    Args:
        pairs: Pairs of a row; its keys are different.
        keys, values: Number of different keys and values.
        vocab_size, seq_len: See ``AnswerData``; a row has 4 ``pairs`` tokens.
        train_size, val_size, test_size: See ``AnswerData``.
        **answers: See ``AnswerData``.
    """

    def __init__(
        self,
        pairs: int = 8,
        keys: int = 32,
        values: int = 32,
        vocab_size: int = 66,
        seq_len: int = 32,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1000,
        **answers: Any,
    ) -> None:
        if not 1 <= pairs <= keys:
            raise UserError(f"data.pairs is {pairs}: give 1 to data.keys, which is {keys}")
        self.pairs, self.keys, self.values = pairs, keys, values
        super().__init__(vocab_size, seq_len, train_size, val_size, test_size, **answers)

    def symbols(self) -> Sequence[str]:
        return [*(f"k{i}" for i in range(self.keys)), *(f"v{i}" for i in range(self.values)), "."]

    def row(self, draw: random.Random) -> Row:
        keys = [f"k{i}" for i in draw.sample(range(self.keys), self.pairs)]
        belongs = {key: f"v{draw.randrange(self.values)}" for key in keys}
        row = said([token for key in keys for token in (key, belongs[key])]) + said(["."])
        for key in draw.sample(keys, len(keys)):
            row += said([key]) + said([belongs[key]], answer=True)
        return row
