"""Generated tasks with exactly one correct output: copy, reverse, sort, add. The splits have no sequence in common."""

import random
from typing import Any, Literal

from common.messages import UserError
from datamodules.parallel_text.pair_splits import Pairs, random_splits
from datamodules.parallel_text.parallel_text import ParallelText


class Toy(ParallelText):
    """Random sequences of letters (``c a b``) and the target computed from them, or sums (``12+345``, ``357``).

    Args:
        task: ``copy``, ``reverse``, ``sort`` (letters), or ``add`` (numbers, as digits).
        symbols: Number of different letters, at most 26.
        min_length, longest: Letters of a sequence, or digits of a summand; lengths are equally frequent.
        train_size, val_size, test_size: Pairs of each split.
        source_vocab_size, target_vocab_size, max_length: See ``ParallelText``; the defaults fit all tasks.
        **parallel: See ``ParallelText``.
    """

    def __init__(
        self,
        task: Literal["copy", "reverse", "sort", "add"] = "reverse",
        symbols: int = 10,
        min_length: int = 3,
        longest: int = 10,
        train_size: int = 10_000,
        val_size: int = 500,
        test_size: int = 1000,
        source_vocab_size: int = 32,
        target_vocab_size: int = 32,
        max_length: int = 16,
        **parallel: Any,
    ) -> None:
        parallel["tokenizer"] = "char" if task == "add" else "space"
        super().__init__(source_vocab_size, target_vocab_size, max_length, **parallel)
        needed = 2 * longest + 2 if task == "add" else longest + 1
        if not 1 <= symbols <= 26 or not 1 <= min_length <= longest or needed > max_length:
            raise UserError(
                "data.symbols is 1 to 26, data.min_length 1 to data.longest, and data.max_length at least "
                f"{needed}; not {symbols}, {min_length} to {longest}, and {max_length}"
            )
        self.task, self.symbols, self.min_length, self.longest = task, symbols, min_length, longest
        self.sizes = (train_size, val_size, test_size)

    def pairs(self) -> dict[str, Pairs]:
        train, val, test = self.sizes
        draw = random.Random(0)
        found: dict[str, str] = {}
        for _ in range(20 * sum(self.sizes)):
            source, target = self.example(draw)
            found[source] = target
            if len(found) == sum(self.sizes):
                return random_splits(list(found.items()), val, test, train)
        raise UserError(
            f"fewer than {sum(self.sizes)} different sequences exist: lower the sizes or raise data.longest"
        )

    def example(self, draw: random.Random) -> tuple[str, str]:
        """One sequence and its target."""
        if self.task == "add":
            a, b = (draw.randrange(10 ** draw.randint(self.min_length, self.longest)) for _ in range(2))
            return f"{a}+{b}", str(a + b)
        letters = [chr(97 + draw.randrange(self.symbols)) for _ in range(draw.randint(self.min_length, self.longest))]
        target = {"copy": letters, "reverse": letters[::-1], "sort": sorted(letters)}[self.task]
        return " ".join(letters), " ".join(target)
