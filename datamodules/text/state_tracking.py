"""State tracking: the sum of all digits so far, modulo a number, at each digit. Modulo 2 it is parity.

    digits  1 0 1 1 0 1
    target  1 1 0 1 1 0      parity: how many ones so far, odd or even

One digit that is missed makes all later sums wrong, so a network must keep an exact state over the whole row. Training
rows have ``seq_len`` digits; test rows have ``reach`` times as many, and only what lies beyond ``seq_len`` is asked.
Merrill et al. 2024, "The Illusion of State in State-Space Models"; Grazzi et al. 2025, "Unlocking State-Tracking in
Linear RNNs Through Negative Eigenvalues"; Peng et al. 2025 for RWKV-7.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.answers import AnswerData
from datamodules.text.language_model import PAD


class StateTracking(AnswerData):
    """Rows of random digits, and their running sums as targets (not the next digits).

    Args:
        modulus: m: digits are 0 to m - 1, and sums are taken modulo m. 2 to 10.
        reach: How many times as long the rows of the test are.
        vocab_size: See ``AnswerData``; the digits and padding.
        seq_len: T, digits of a row in training and validation.
        train_size, val_size, test_size: See ``AnswerData``.
        **answers: See ``AnswerData``.
    """

    def __init__(
        self,
        modulus: int = 2,
        reach: int = 4,
        vocab_size: int = 11,
        seq_len: int = 32,
        train_size: int = 10_000,
        val_size: int = 500,
        test_size: int = 500,
        **answers: Any,
    ) -> None:
        if not 2 <= modulus <= 10:
            raise UserError(f"data.modulus is {modulus}: give 2 to 10")
        if reach < 2:
            raise UserError(f"data.reach is {reach}: give 2 or more")
        self.modulus, self.reach = modulus, reach
        super().__init__(vocab_size, seq_len, train_size, val_size, test_size, **answers)

    def symbols(self) -> Sequence[str]:
        return [str(digit) for digit in range(self.modulus)]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        first = self.tokenizer.ids["0"]
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, size in self.sizes.items():
            length = self.seq_len * (self.reach if name == "test" else 1)
            digits = torch.randint(self.modulus, (size, length), generator=generator)
            sums = digits.cumsum(1) % self.modulus + first
            if name == "test":
                sums[:, : self.seq_len] = PAD
            splits[name] = (digits.int() + first, sums.int())
        return splits | {"predict": splits["test"]}
