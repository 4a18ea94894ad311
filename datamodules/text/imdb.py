"""IMDb: 50,000 film reviews, half of them favorable. D2L 16.1; Maas et al. 2011, "Learning word vectors for sentiment
analysis".

No film of the published test is in training. The ids of a class run by film, so that neighbors are of the same film:
validation takes the last ids of each class as a block, not single reviews at random. The set is 84 MB and is not
downloaded by itself: unpack it into ``$DIVE_DATA``. A part of its files in the same folders works too.

Departs from the book: padding has a number of its own (the book's vocabulary lacks it, and pads with ``<unk>``), line
breaks (``<br />``) are not words, signs are cut from words, and the test chooses nothing.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.text.baseline import TfidfBaseline
from datamodules.text.bert_text import BertText, Texts
from datamodules.text.files import read_text
from datamodules.text.labeled_text import LabeledText

ADDRESS = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
CLASSES = {"unfavorable": "neg", "favorable": "pos"}


def read_imdb(val_fraction: float = 0.1) -> dict[str, tuple[list[str], Tensor]]:
    """Reviews and classes (N,) of train, val and test.

    Args:
        val_fraction: Of each class's training reviews, those with the highest ids.

    Raises:
        UserError: A folder is missing or empty, or ``val_fraction`` leaves a split empty.
    """
    folder = Path(data_root()) / "aclImdb"
    found: dict[str, tuple[list[str], list[int]]] = {name: ([], []) for name in ("train", "val", "test")}
    for part in ("train", "test"):
        for number, name in enumerate(CLASSES.values()):
            files = sorted((folder / part / name).glob("*_*.txt"), key=lambda file: (file.stem.find("_"), file.name))
            if not files:
                raise UserError(f"no reviews in {folder / part / name}: unpack {ADDRESS} into {folder.parent}")
            held = round(val_fraction * len(files)) if part == "train" else 0
            if part == "train" and not 0 < held < len(files):
                raise UserError(f"data.val_fraction is {val_fraction}: of {len(files)} reviews it leaves a split empty")
            texts = [" ".join(read_text(file).replace("<br />", " ").split()) for file in files]
            for split, own in ((part, texts[: len(texts) - held]), ("val", texts[len(texts) - held :])):
                found[split][0].extend(own)
                found[split][1].extend([number] * len(own))
    return {name: (texts, torch.tensor(y)) for name, (texts, y) in found.items()}


class IMDb(TfidfBaseline, LabeledText):
    """Reviews as words x (B, seq_len), y (B,): 0 unfavorable, 1 favorable; the published test.

    Args:
        num_classes, vocab_size, seq_len: Two; the most frequent words of the training reviews; the book's 500 words.
        val_fraction: See ``read_imdb``.
        **text: See ``LabeledText``.
    """

    def __init__(
        self,
        num_classes: int = 2,
        vocab_size: int = 20_000,
        seq_len: int = 500,
        val_fraction: float = 0.1,
        **text: Any,
    ) -> None:
        super().__init__(num_classes, vocab_size, seq_len, **text)
        self.val_fraction = val_fraction
        self.class_names = list(CLASSES)

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        return dict(read_imdb(self.val_fraction))


class BertIMDb(TfidfBaseline, BertText):
    """The same reviews as BERT reads them.

    Args:
        num_classes: Two.
        val_fraction: See ``read_imdb``.
        **texts: See ``BertText``.
    """

    def __init__(self, num_classes: int = 2, val_fraction: float = 0.1, **texts: Any) -> None:
        super().__init__(num_classes, **texts)
        self.val_fraction = val_fraction
        self.class_names = list(CLASSES)

    def read(self, stage: str) -> dict[str, Texts]:
        return {name: (texts, None, y) for name, (texts, y) in read_imdb(self.val_fraction).items()}
