"""SNLI: 570,000 pairs of sentences, written by people, and whether the second follows from the first.

Bowman et al. 2015, "A large annotated corpus for learning natural language inference". D2L 15.4. Pairs whose annotators
did not agree (the label ``-``) are left out, as in the paper and the book. The set is 90 MB and is not downloaded by
itself: unpack it into ``$DIVE_DATA``.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.text.bert_text import BertText, Texts
from datamodules.text.entailment import CLASSES
from datamodules.text.files import read_text

ADDRESS = "https://nlp.stanford.edu/projects/snli/snli_1.0.zip"
FILES = {"train": "train", "val": "dev", "test": "test"}


class SNLI(BertText):
    """Premise and hypothesis; 0 contradiction, 1 entailment, 2 neutral; the published split.

    Args:
        num_classes, vocab_size, seq_len: Three; as many pieces of words as the book has words; two sentences of 50.
        **texts: See ``BertText``.
    """

    def __init__(self, num_classes: int = 3, vocab_size: int = 18_678, seq_len: int = 100, **texts: Any) -> None:
        super().__init__(num_classes, vocab_size=vocab_size, seq_len=seq_len, **texts)
        self.class_names = CLASSES

    def read(self, stage: str) -> dict[str, Texts]:
        folder = Path(data_root()) / "snli_1.0"
        paths = {name: folder / f"snli_1.0_{file}.jsonl" for name, file in FILES.items()}
        if lacking := [path for path in paths.values() if not path.is_file()]:
            raise UserError(f"no {lacking[0]}: unpack {ADDRESS} into {folder.parent}")
        return {name: read_snli(path) for name, path in paths.items()}


def read_snli(path: str | Path) -> tuple[list[str], list[str], Tensor]:
    """Premises, hypotheses and classes (N,) of a ``.jsonl`` file.

    Raises:
        UserError: A line that is not a pair with one of the labels, by its number.
    """
    first, second, y = [], [], []
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n"), 1):
        try:
            row = json.loads(line)
            label, premise, hypothesis = row["gold_label"], row["sentence1"], row["sentence2"]
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}, line {number}: not a pair of SNLI's") from None
        if label == "-":
            continue
        if label not in CLASSES:
            raise UserError(f"{path}, line {number}: {str(label)[:40]!r} is none of {', '.join(CLASSES)}")
        first.append(premise)
        second.append(hypothesis)
        y.append(CLASSES.index(label))
    return first, second, torch.tensor(y)
