"""Vectors of texts: a published folder, a table's columns, the files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.text.bert_rows import train_wordpiece
from lit_models.bert.encoder import Bert
from scripts.front.sentence_vectors import (
    TextColumns,
    of_run,
    published,
    read_texts,
    show_nearest_texts,
    vectors_of,
    write_texts,
)
from tests.lit_models.bert.test_weights import save

TEXTS = ["a dog runs", "two cats sleep in the sun", "a dog runs", "rain"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small BERT as Hugging Face saves one."""
    tokenizer = train_wordpiece(TEXTS, 60)
    torch.manual_seed(0)
    save(tmp_path, Bert(60, 16, sep_id=3, max_length=12).state_dict())
    next(tmp_path.glob("*.safetensors")).rename(tmp_path / "model.safetensors")
    (tmp_path / "tokenizer.json").write_text(tokenizer.model.to_str())
    config = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(config | {"intermediate_size": 64, "max_position_embeddings": 12}))
    return tmp_path


def test_vectors_have_length_one_and_equal_texts_equal_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = published(str(folder))
    assert encoder is not None and encoder.longest == 12
    vectors = vectors_of(encoder, [*TEXTS, "rain " * 20])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    assert torch.equal(vectors[0], vectors[2]) and not torch.equal(vectors[0], vectors[1])
    assert "1 of 4 texts are longer than 12 tokens" in "".join(capsys.readouterr())
    show_nearest_texts(encoder, TextColumns(["1", "2", "3", "4"], TEXTS, None), "rain", 2)
    assert capsys.readouterr().out.splitlines()[0].split() == ["1.0000", "4", "rain"]


def test_files_have_vectors_or_cosines(tmp_path: Path) -> None:
    texts = TextColumns(["1", "3"], ["a", "b"], None)
    first = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    write_texts(tmp_path / "v.npy", texts, first, None)
    assert np.allclose(np.load(tmp_path / "v.npy"), first.numpy())
    write_texts(tmp_path / "v.csv", texts, first, None)
    rows = list(csv.reader((tmp_path / "v.csv").open()))
    assert rows[0] == ["row", "text", "v0", "v1"] and rows[2] == ["3", "b", "1", "0"]
    write_texts(tmp_path / "p.csv", texts._replace(second=["c", "d"]), first, first.flip(0))
    rows = list(csv.reader((tmp_path / "p.csv").open()))
    assert rows[1] == ["1", "a", "c", "0.6"]
    write_texts(tmp_path / "p.npy", texts._replace(second=["c", "d"]), first, first.flip(0))
    assert np.load(tmp_path / "p.npy").shape == (2, 2, 2)


def test_columns_are_read_with_their_row_numbers(tmp_path: Path) -> None:
    (path := tmp_path / "t.csv").write_text("body,other\none,x\n,y\nthree,z\n")
    assert read_texts(str(path), "body", "other") == (["1", "3"], ["one", "three"], ["x", "z"])
    with pytest.raises(UserError, match="no column 'nothing'"):
        read_texts(str(path), "body", "nothing")


def test_what_is_no_encoder_is_one_line(folder: Path) -> None:
    assert published("no/such/folder") is None
    (folder / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is not that of a BERT"):
        published(str(folder))
    with pytest.raises(UserError, match="Linear has no encoder of texts"):
        of_run(torch.nn.Linear(1, 1), folder)
