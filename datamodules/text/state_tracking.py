"""Running sums modulo m: the answer after each number depends on all numbers before it. m = 2 is parity.

A network whose state only decays cannot follow this to any length; one that can flip the sign of its state can (Merrill
et al. 2024, "The Illusion of State in State-Space Models"; Grazzi et al. 2024). A longer ``length`` at test time shows
which solution was learned:

    dive test rwkv/parity --data.min_length 64 --data.length 64 --data.seq_len 64
"""

import random
from collections.abc import Sequence
from typing import Any

from common.messages import UserError
from datamodules.text.answers import AnswerData, Row


class RunningSum(AnswerData):
    """Numbers ``n0`` ... below ``modulus``; the target at each is the sum so far modulo ``modulus``, as ``s0`` ...

    Args:
        modulus: m.
        min_length, length: Numbers of a row.
        vocab_size, seq_len: See ``AnswerData``.
        train_size, val_size, test_size: See ``AnswerData``.
        **answers: See ``AnswerData``.
    """

    def __init__(
        self,
        modulus: int = 2,
        min_length: int = 1,
        length: int = 32,
        vocab_size: int = 16,
        seq_len: int = 32,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1000,
        **answers: Any,
    ) -> None:
        if modulus < 2 or not 1 <= min_length <= length:
            raise UserError(
                f"data.modulus is {modulus} and data.min_length {min_length}: give at least 2, and 1 to data.length, "
                f"which is {length}"
            )
        self.modulus, self.min_length, self.length = modulus, min_length, length
        super().__init__(vocab_size, seq_len, train_size, val_size, test_size, **answers)

    def symbols(self) -> Sequence[str]:
        return [f"{kind}{i}" for kind in "ns" for i in range(self.modulus)]

    def row(self, draw: random.Random) -> Row:
        return [(f"n{draw.randrange(self.modulus)}", False) for _ in range(draw.randint(self.min_length, self.length))]

    def tensors(self, rows: list[Any]) -> Any:
        """The targets stand at the numbers themselves, not one place later."""
        tokens, targets = super().tensors([[*row, ("n0", False)] for row in rows])
        first = self.tokenizer.ids["n0"]
        for number, row in enumerate(rows):
            sums = (tokens[number, : len(row)] - first).cumsum(0) % self.modulus
            targets[number, : len(row)] = sums + self.tokenizer.ids["s0"]
        return tokens, targets
