"""Short reviews whose opinion follows by rule: negation turns a word around, and a concession does not count.

"although the music was not dull , the acting was never at all convincing" is unfavorable: the main clause decides, and
its negation turns "convincing" around. The main clause stands first ("B although A") or last ("A but B", "although A ,
B"), so that what counts may be far from either end. Bags of words cannot tell: which word belongs to which clause is a
matter of order. The rules are known, so the best possible accuracy is 1.
"""

from random import Random
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from datamodules.text.baseline import TfidfBaseline
from datamodules.text.labeled_text import LabeledText

THINGS = ("acting", "music", "story", "ending", "dialogue", "light", "pace", "camera")
WORDS = {
    1: ("good", "convincing", "moving", "clever", "fresh", "honest"),
    0: ("bad", "dull", "clumsy", "hollow", "stale", "cold"),
}
NEGATIONS = ("not", "never", "hardly")
FILLERS = ("", "really", "at all", "for a moment", "in the end")
PARTS = ("train",) * 7 + ("val",) + ("test",) * 2  # of reviews, by a checksum


class Opinions(TfidfBaseline, LabeledText):
    """Reviews as words x (B, seq_len), y (B,): 0 unfavorable, 1 favorable. No review of the test is in training.

    Args:
        num_classes, vocab_size, seq_len: Two; room for all words; the longest review has 26.
        train_size, val_size, test_size: Reviews.
        **text: See ``LabeledText``.
    """

    def __init__(
        self,
        num_classes: int = 2,
        vocab_size: int = 60,
        seq_len: int = 32,
        train_size: int = 6000,
        val_size: int = 600,
        test_size: int = 1200,
        **text: Any,
    ) -> None:
        super().__init__(num_classes, vocab_size, seq_len, **text)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.class_names = ["unfavorable", "favorable"]

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        draw = Random(0)
        found: dict[str, tuple[list[str], Tensor | None]] = {}
        for name, size in self.sizes.items():
            rows = [review(draw, name) for _ in range(size)]
            found[name] = ([text for text, _ in rows], torch.tensor([y for _, y in rows]))
        return found


def clause(draw: Random) -> tuple[str, int]:
    """``the THING was [negation] [filler] WORD`` and its opinion."""
    opinion, negated = draw.choice((0, 1)), draw.choice((0, 1))
    parts = ["the", draw.choice(THINGS), "was", draw.choice(NEGATIONS) if negated else "", draw.choice(FILLERS)]
    parts.append(draw.choice(WORDS[opinion]))
    return " ".join(part for part in parts if part), opinion ^ negated


def review(draw: Random, part: str) -> tuple[str, int]:
    """A review and its opinion; each review belongs to one part only."""
    while True:
        (main, opinion), (aside, _) = clause(draw), clause(draw)
        way = draw.choice(("{aside} but {main}", "although {aside} , {main}", "{main} although {aside}", "{main}"))
        text = way.format(main=main, aside=aside)
        if PARTS[crc32(text.encode()) % len(PARTS)] == part:
            return text, opinion
