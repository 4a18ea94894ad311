"""Texts and pairs for BERT: special tokens, cutting, widths."""

from typing import Any

import pytest
import torch

from datamodules.text.bert_text import BertText, Texts, shorten

TEXTS = ["good film", "bad film bad", "a good one", "bad"] * 5


class Reviews(BertText):
    def __init__(self, pairs: bool = False, **texts: Any) -> None:
        super().__init__(**({"vocab_size": 60, "batch_size": 4} | texts))
        self.pairs = pairs

    def read(self, stage: str) -> dict[str, Texts]:
        y = torch.tensor([1, 0, 1, 0] * 5)
        part: Texts = (TEXTS, TEXTS[::-1] if self.pairs else None, y)
        return {"train": part, "val": part, "test": part} if stage != "predict" else {"predict": (TEXTS, None, None)}


def test_a_row_is_cls_text_sep_and_a_pair_has_two_ends() -> None:
    for pairs in (False, True):
        data = Reviews(pairs)
        data.setup("fit")
        x = data.splits["train"][0]
        assert bool((x[:, 0] == 2).all())
        ends = (x == 3).sum(1)
        assert ends.tolist() == [2 if pairs else 1] * len(x)
        row = x[0][x[0] != 0]
        assert row[-1] == 3
        assert data.tokenizer is not None and data.tokenizer.decode(row.tolist()).startswith("good film")


def test_the_longer_text_is_cut_and_no_text_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    parts = [[1, 2, 3, 4, 5], [6, 7]]
    assert shorten(parts, 5) and parts == [[1, 2, 3], [6, 7]]
    assert not shorten(parts, 5)
    data = Reviews(seq_len=5, pairs=True)
    data.setup("fit")
    assert data.splits["train"][0].shape == (20, 5) and "longer than data.seq_len" in capsys.readouterr().err


def test_a_batch_is_as_wide_as_its_longest_text() -> None:
    tokens = torch.tensor([[2, 5, 3, 0, 0], [2, 5, 6, 3, 0]], dtype=torch.int32)
    x, _ = Reviews().transform((tokens, torch.tensor([0, 1])))
    assert x.shape == (2, 4) and x.dtype == torch.int64


def test_a_run_reads_new_texts_with_its_own_tokenizer() -> None:
    data, again = Reviews(), Reviews()
    data.setup("fit")
    again.load_processor(data.processor())
    again.setup("predict")
    assert torch.equal(again.splits["predict"][0], data.splits["train"][0])
