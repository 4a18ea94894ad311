"""AfriSenti: tweets in African languages, unfavorable, neutral or favorable, in the published split.

Muhammad et al. 2023, "AfriSenti: a Twitter sentiment analysis benchmark for African languages" (SemEval-2023 task 12),
scored by the F1 of each class, weighted by its frequency. Here Swahili (1,810 tweets for training) and Igbo (10,192).
"""

from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.downloads import fetch
from datamodules.text.baseline import TfidfBaseline
from datamodules.text.files import read_text
from datamodules.text.labeled_text import LabeledText, Unit

COMMIT = "5aec3cfcf87b59f885e98641f72e52182776429d"
ADDRESS = f"https://raw.githubusercontent.com/afrisenti-semeval/afrisent-semeval-2023/{COMMIT}/data/"
SHA256 = {
    "ibo/dev": "a52e7248af999b65a7d49e11d781b08c2528411ef25d8b9419c7e6280622e8f8",
    "ibo/test": "b91481b377e96b394b96e04dd2577c335fe117e03271dcbf0f4da2a7b785b92f",
    "ibo/train": "6f0fb58fbaff2401d8944d41bae53cc7dafe1ccae7de42a81915ddc974abb300",
    "swa/dev": "ef91098b77b5137e093fb78d7a0cc3bd4c561ba1f87dc86fdccbc16b4807f2af",
    "swa/test": "1720b2a4dedce37e64b5820420a5de78caf66eaf2102f9cf276faba3a8261eb1",
    "swa/train": "d0cd654eeb84dae25e3fe8521ac88a1004cdd625e0fe90e7ab9a039a6655e431",
}
CLASSES = ["negative", "neutral", "positive"]
FILES = {"train": "train", "val": "dev", "test": "test"}


class AfriSenti(TfidfBaseline, LabeledText):
    """Tweets as tokens x (B, seq_len), y (B,): 0 negative, 1 neutral, 2 positive.

    Args:
        num_classes, vocab_size, seq_len: Three; sub-words of the training tweets; the longest have about 100.
        unit: See ``LabeledText``.
        language: ``swa``, Swahili, or ``ibo``, Igbo.
        word_dropout: Fraction of the training tokens that become unknown, each time other ones.
        **text: See ``LabeledText``.
    """

    weighted_f1 = True

    def __init__(
        self,
        num_classes: int = 3,
        vocab_size: int = 4000,
        seq_len: int = 80,
        unit: Unit = "subword",
        language: Literal["swa", "ibo"] = "ibo",
        word_dropout: float = 0.15,
        **text: Any,
    ) -> None:
        super().__init__(num_classes, vocab_size, seq_len, unit, **text)
        if not 0 <= word_dropout < 1:
            raise UserError(f"data.word_dropout is {word_dropout}: give a fraction from 0 to below 1")
        self.language, self.word_dropout = language, word_dropout
        self.class_names = CLASSES

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        found: dict[str, tuple[list[str], Tensor | None]] = {}
        for name, file in FILES.items():
            key = f"{self.language}/{file}"
            path = fetch(f"{ADDRESS}{key}.tsv", SHA256[key], f"afrisenti/{key}.tsv")
            found[name] = read_tweets(str(path))
        return found

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = batch
        dropped = (torch.rand(x.shape, device=x.device) < self.word_dropout) & (x != 0)
        return (x.masked_fill(dropped, 1), *rest)


def read_tweets(path: str) -> tuple[list[str], Tensor]:
    """The tweets of a file and their classes (N,).

    Raises:
        UserError: A line that is not a tweet and one of the three classes, by its number.
    """
    texts, y = [], []
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n")[1:], 2):
        text, _, label = line.rpartition("\t")
        if label not in CLASSES:
            raise UserError(f"{path}, line {number}: {label[:40]!r} is none of {', '.join(CLASSES)}")
        texts.append(text)
        y.append(CLASSES.index(label))
    return texts, torch.tensor(y)
