"""Documents as rows of sentences."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.summaries.documents import Document
from datamodules.summaries.extracts import ExtractRows

DOCUMENTS = [Document(["one two.", "three.", "four five six."], ["one"]), Document(["three."], ["a", "b"])]


class Few(ExtractRows):
    def __init__(self, **rows: Any) -> None:
        super().__init__(**{"vocab_size": 60, "seq_len": 30, "batch_size": 2} | rows)
        self.found: dict[str, list[Document]] = dict.fromkeys(("train", "val", "test"), DOCUMENTS)

    def read(self, stage: str) -> dict[str, list[Document]]:
        return self.found


def test_each_sentence_stands_between_cls_and_sep_and_a_row_knows_its_first() -> None:
    data = Few()
    data.setup("fit")
    tokens, first = data.splits["train"]
    assert first.tolist() == [0, 3] and (tokens == 2).sum(1).tolist() == [3, 1] == (tokens == 3).sum(1).tolist()
    assert data.document_sentences["train"] == ["one two.", "three.", "four five six.", "three."]
    assert data.reference_sets["test"] == [["one"], ["a", "b"]]
    assert data.baselines() == {}  # a sentence's number is no class to predict by logistic regression
    assert data.decode_target(torch.tensor([[0, 2], [3, -1]])) == ["one two. four five six.", "three."]


def test_a_sentence_that_does_not_fit_is_left_out_whole_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    data = Few(seq_len=12)
    data.setup("fit")
    tokens = data.splits["train"][0]
    assert tokens.shape[1] <= 12 and int((tokens[0] == 2).sum()) == int((tokens[0] == 3).sum()) < 3
    assert "1 of 2 documents are longer than data.seq_len, 12 tokens" in capsys.readouterr().err
    assert data.encode_documents([["three " * 40]]).shape == (1, 12)


def test_a_row_that_just_fits_is_whole() -> None:
    data = Few()
    data.setup("fit")
    whole = data.splits["train"][0]
    data.seq_len = whole.shape[1]
    assert torch.equal(data.encode_documents([document.sentences for document in DOCUMENTS]), whole)


def test_a_separator_that_is_written_in_a_text_begins_no_sentence() -> None:
    data = Few()
    data.setup("fit")
    (row,) = data.encode_documents([["one [SEP] two.", "three."]])
    assert int((row == data.sep_id).sum()) == 2


def test_an_empty_split_is_one_line() -> None:
    data = Few()
    data.found = data.found | {"val": []}
    with pytest.raises(UserError, match="the val split of Few is empty"):
        data.setup("fit")
