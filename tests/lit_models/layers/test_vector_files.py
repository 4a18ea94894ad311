"""Vector files: three formats, plain and gzip, against gensim's reader, and damaged ones."""

from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.layers.vector_files import is_binary, read_vectors, write_vectors

WORDS = ["king", "ọba", "1", "new_york", "12 34"]


def table() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(5, 3)


@pytest.mark.parametrize("form", ["glove", "text", "binary"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_what_was_written_is_read(form: Any, ending: str, tmp_path: Path) -> None:
    write_vectors(path := tmp_path / f"v{ending}", WORDS, table(), form)
    words, vectors = read_vectors(path)
    assert words == ["king", "ọba", "1", "new_york", "12_34"] and torch.equal(vectors, table())
    words, vectors = read_vectors(path, limit=2)
    assert words == WORDS[:2] and torch.equal(vectors, table()[:2])
    words, vectors = read_vectors(path, only={"1", "nobody", "king"})
    assert words == ["king", "1"] and torch.equal(vectors, table()[[0, 2]])
    words, vectors = read_vectors(path, only={"nobody"})
    assert words == [] and vectors.shape == (0, 3)


@pytest.mark.parametrize("form", ["text", "binary"])
def test_gensim_reads_ours_and_we_read_gensims(form: Any, tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    write_vectors(path := tmp_path / "v", WORDS[:4], table()[:4], form)
    theirs = KeyedVectors.load_word2vec_format(str(path), binary=form == "binary")
    assert theirs.index_to_key == WORDS[:4] and torch.equal(torch.from_numpy(theirs.vectors), table()[:4])
    theirs.save_word2vec_format(str(again := tmp_path / "w"), binary=form == "binary")
    assert torch.allclose(read_vectors(again)[1], table()[:4], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1 2 3\nb 1 2\n", "line 2: not a word and 3 numbers"),
        (b"a 1 2\nb 1 x\n", "line 2: not a word and 2 numbers"),
        (b"a 1 2\n\xffb 1 2\n", "line 2: byte 0xff at 0 is not UTF-8"),
        (b"a\nb\n", "line 1: not a word and 0 numbers"),
        (b"", "no word vectors"),
        (b"3 2\na " + b"\0" * 8 + b"\nb \0", "ends after 1 of 3"),
        (b"\x1f\x8b\x08junk", "damaged"),
    ],
)
def test_a_damaged_file_is_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    (path := tmp_path / "v").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_vectors(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file of word vectors"):
        read_vectors(tmp_path / "no")


@pytest.mark.parametrize("start", [b"word " + b"0.5 " * 20 + b"-", b"word " + b"0.5 " * 20 + b"1e-"])
def test_a_line_that_is_longer_than_what_is_looked_at_is_text(start: bytes) -> None:
    assert not is_binary(start, 400) and is_binary(b"word \x93\x00\xff\x3f \x07 \xfe\x01" * 3, 400)
