"""Your own pairs of texts: one file of ``source<TAB>target`` lines, or two files whose lines correspond.

    dive fit rnn/bahdanau --data ParallelFile --data.path pairs.tsv
    dive fit rnn/bahdanau --data ParallelFile --data.path text.en --data.target_path text.sw

The vocabularies and the splits are described in ``datamodules/parallel_text/parallel_text.py``.
"""

from typing import Any

from common.messages import UserError
from datamodules.parallel_text.parallel_text import Pairs, ParallelText, random_splits
from datamodules.text.files import read_text


class ParallelFile(ParallelText):
    """Pairs of texts from files, split at random (seed 0); a source is in one split only.

    Args:
        path: ``source<TAB>target`` lines (further columns are ignored), or the sources, one per line.
        target_path: The targets, one per line; empty where ``path`` has both.
        val_fraction, test_fraction: Fractions of the pairs held out.
        **parallel: See ``ParallelText``.
    """

    def __init__(
        self,
        path: str = "",
        target_path: str = "",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        **parallel: Any,
    ) -> None:
        super().__init__(**parallel)
        if min(val_fraction, test_fraction) <= 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave an empty split: "
                "each must be above 0, and together they must be below 1"
            )
        self.path, self.target_path = path, target_path
        self.val_fraction, self.test_fraction = val_fraction, test_fraction

    def pairs(self) -> dict[str, Pairs]:
        pairs = self._two_files() if self.target_path else self._one_file()
        sizes = [max(1, round(len(pairs) * part)) for part in (self.val_fraction, self.test_fraction)]
        return random_splits(pairs, *sizes)

    def _one_file(self) -> Pairs:
        pairs = []
        for number, line in enumerate(read_text(self.path).split("\n"), 1):
            if not line.strip():
                continue
            source, tab, target = line.partition("\t")
            if not tab or not source.strip() or not target.strip():
                raise UserError(
                    f"{self.path}:{number} is not source<TAB>target; for two files give --data.target_path too"
                )
            pairs.append((source.strip(), target.split("\t")[0].strip()))
        return pairs

    def _two_files(self) -> Pairs:
        sides = [
            read_text(path, option).rstrip("\n").split("\n")
            for path, option in ((self.path, "data.path"), (self.target_path, "data.target_path"))
        ]
        if len(sides[0]) != len(sides[1]):
            raise UserError(
                f"{self.path} has {len(sides[0])} lines, {self.target_path} has {len(sides[1])}: line i of one must "
                "be the translation of line i of the other"
            )
        return [(s.strip(), t.strip()) for s, t in zip(*sides, strict=True) if s.strip() and t.strip()]
