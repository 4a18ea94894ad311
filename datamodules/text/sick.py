"""SICK: 9,927 pairs of sentences, how related people find them (1 to 5), and whether one follows from the other.

Marelli et al. 2014. The file has no published split; ours is fixed (seed 0).
"""

from pathlib import Path
from typing import NamedTuple

from common.messages import UserError
from datamodules.downloads import fetch
from datamodules.text.files import read_text

URL = "https://raw.githubusercontent.com/praguna/sick_dataset/a35d440f028175a4c774a19e9d6ef02c3a6f9e06/SICK.txt"
SHA256 = "3de6211d6cee83b1b444c1205da36bd18e6cabf5b4debfc24995b1510b796878"
CLASSES = ("CONTRADICTION", "ENTAILMENT", "NEUTRAL")


class Pair(NamedTuple):
    """Two sentences, their relatedness, 1 to 5, and their relation, one of ``CLASSES``."""

    first: str
    second: str
    score: float
    relation: str


def read_sick(path: str | Path = "") -> list[Pair]:
    """All pairs of the file; without a path it is downloaded once.

    Raises:
        UserError: No such file, not UTF-8, or a line that is not a pair, by its number.
    """
    path = path or fetch(URL, SHA256, "SICK/SICK.txt")
    pairs = []
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n")[1:], 2):
        try:
            _, first, second, score, relation = line.split("\t")[:5]
            pairs.append(Pair(first, second, float(score), relation))
        except ValueError:
            raise UserError(f"{path}, line {number}: not two sentences, a score and a relation") from None
        if relation not in CLASSES:
            raise UserError(f"{path}, line {number}: {relation!r} is none of {', '.join(CLASSES)}")
    return pairs
