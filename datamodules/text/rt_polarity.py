"""Sentence polarity: 10,662 snippets of film reviews, half of them favorable.

Pang and Lee 2005, "Seeing stars". The files are those of the repository of a well-known implementation of Kim's
network, in UTF-8; the archive of 2005 is in Windows-1252. There is no published split: Kim cross-validates over ten
folds. Here the split is fixed (seed 0) and stratified. No snippet occurs twice.
"""

from typing import Any

import torch
from torch import Tensor

from datamodules.downloads import fetch
from datamodules.splits import split_indices
from datamodules.text.baseline import TfidfBaseline
from datamodules.text.labeled_text import LabeledText

COMMIT = "18762b459e21d9c70e5c242f8d43fc4e6db37a0d"
ADDRESS = f"https://raw.githubusercontent.com/dennybritz/cnn-text-classification-tf/{COMMIT}/data/rt-polaritydata/"
SHA256 = {
    "rt-polarity.neg": "2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd",
    "rt-polarity.pos": "4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58",
}


class RTPolarity(TfidfBaseline, LabeledText):
    """Snippets as words x (B, seq_len), y (B,): 0 unfavorable, 1 favorable.

    Args:
        num_classes, vocab_size, seq_len: Two; the 10,000 most frequent words of the training snippets; 50 words,
            which 99.5 % of the snippets do not exceed.
        test_size, val_size: Snippets held out: a tenth each, as in Kim's folds.
        **text: See ``LabeledText``.
    """

    def __init__(
        self,
        num_classes: int = 2,
        vocab_size: int = 10_000,
        seq_len: int = 50,
        test_size: int = 1066,
        val_size: int = 1066,
        **text: Any,
    ) -> None:
        super().__init__(num_classes, vocab_size, seq_len, **text)
        self.test_size, self.val_size = test_size, val_size
        self.class_names = ["unfavorable", "favorable"]

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        texts: list[str] = []
        counts = []
        for name, digest in SHA256.items():
            path = fetch(ADDRESS + name, digest, f"rt-polaritydata/{name}")
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            texts += lines
            counts.append(len(lines))
        y = torch.arange(2).repeat_interleave(torch.tensor(counts))
        parts = split_indices(y, (0, self.val_size, self.test_size))
        names = ("train", "val", "test")
        return {n: ([texts[i] for i in rows.tolist()], y[rows]) for n, rows in zip(names, parts, strict=True)}
