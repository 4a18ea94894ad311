"""The picture of the attention."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from callbacks.pictures.alignment import Alignment, draw_alignment
from datamodules.parallel_text.toy import Toy
from tests.lit_models.tasks.test_seq2seq import SmallSeq2Seq
from tests.small import small_trainer


class Looker(SmallSeq2Seq):
    def alignment(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Tensor]:
        ids = self.generate_tokens(source, source_length)
        return ids, torch.full((*ids.shape, source.shape[1]), 1 / source.shape[1])


def test_a_picture_is_written_after_the_test(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"source_vocab_size": 9, "target_vocab_size": 9, "train_size": 20, "val_size": 5}
    data = Toy("copy", symbols=5, min_length=2, longest=3, test_size=10, batch_size=4, **sizes)
    small_trainer(tmp_path, Alignment(4)).test(Looker(), datamodule=data, verbose=False)
    assert (tmp_path / "alignment.png").stat().st_size > 5000


def test_words_label_their_axes() -> None:
    weights = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    figure = draw_alignment([(["the", " $"], ["le", " ", "<eos>"], weights)])
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["the", r" \$"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["le", "' '", "<eos>"]
    assert np.array_equal(axes.images[0].get_array(), weights)
