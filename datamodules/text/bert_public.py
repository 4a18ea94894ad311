"""Public sets as BERT reads them: rt-polarity's film reviews, SICK's pairs, by relation and by score."""

from typing import Any

import torch

from datamodules.splits import split_indices
from datamodules.text.baseline import TfidfBaseline
from datamodules.text.bert_scores import BertScores
from datamodules.text.bert_text import BertText, Texts
from datamodules.text.rt_polarity import RTPolarity
from datamodules.text.sick import CLASSES, read_sick


class BertRTPolarity(TfidfBaseline, BertText):
    """Snippets of film reviews: 0 unfavorable, 1 favorable; the split of ``RTPolarity``.

    Args:
        num_classes: Two.
        **texts: See ``BertText``.
    """

    def __init__(self, num_classes: int = 2, **texts: Any) -> None:
        super().__init__(num_classes, **texts)
        self.class_names = ["unfavorable", "favorable"]

    def read(self, stage: str) -> dict[str, Texts]:
        return {name: (texts, None, y) for name, (texts, y) in RTPolarity().read(stage).items()}


class SICKScores(BertScores):
    """SICK's pairs and how related people find them, from 1 to 5; the split of ``SICK``.

    Args:
        vocab_size, seq_len: See ``BertRows``.
        **texts: See ``BertText``.
    """

    def __init__(self, vocab_size: int = 4000, seq_len: int = 80, **texts: Any) -> None:
        super().__init__(vocab_size=vocab_size, seq_len=seq_len, **texts)

    def read(self, stage: str) -> dict[str, Texts]:
        pairs = read_sick()
        y = torch.tensor([CLASSES.index(pair.relation) for pair in pairs])
        found: dict[str, Texts] = {}
        for name, rows in zip(("train", "val", "test"), split_indices(y, (4500, 500, 4927)), strict=True):
            chosen = [pairs[i] for i in rows.tolist()]
            scores = torch.tensor([pair.score for pair in chosen])
            found[name] = ([p.first for p in chosen], [p.second for p in chosen], scores)
        return found


class SICK(BertText):
    """SICK's 9,927 pairs and their relation, in a fixed split (seed 0): as many for training, validation and test as
    the published one has (4,500, 500, 4,927).

    Args:
        num_classes: Three.
        **texts: See ``BertText``.
    """

    def __init__(self, num_classes: int = 3, **texts: Any) -> None:
        super().__init__(num_classes, **texts)
        self.class_names = [name.lower() for name in CLASSES]

    def read(self, stage: str) -> dict[str, Texts]:
        pairs = read_sick()
        y = torch.tensor([CLASSES.index(pair.relation) for pair in pairs])
        found: dict[str, Texts] = {}
        for name, rows in zip(("train", "val", "test"), split_indices(y, (4500, 500, 4927)), strict=True):
            chosen = [pairs[i] for i in rows.tolist()]
            found[name] = ([p.first for p in chosen], [p.second for p in chosen], y[rows])
        return found
