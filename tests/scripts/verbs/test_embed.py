"""dive embed: vectors in a file, neighbors of a query."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from lit_models.embeddings.vector_files import read_vectors
from scripts.cli import main
from scripts.verbs.embed import read_options, show_nearest


def test_a_runs_vectors_are_written_and_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path))
    small = ["--data.num_sentences", "60", "--trainer.max_epochs", "1", "--model.embed_size", "4"]
    assert main(["fit", "embeddings/word2vec", *small]) == 0
    assert main(["embed", "embeddings/word2vec", "--out", str(tmp_path / "v.gz"), "--format", "text"]) == 0
    words, vectors = read_vectors(tmp_path / "v.gz")
    assert vectors.shape == (len(words), 4)
    capsys.readouterr()
    assert main(["embed", "embeddings/word2vec", "--query", words[3], "--count", "2"]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) == 2


def test_an_analogy_is_a_sum_without_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    vectors = torch.tensor([[1.0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [-1, -1, 0]])
    show_nearest(["man", "king", "woman", "queen", "x"], vectors, "king - man + woman", 1)
    assert capsys.readouterr().out.split()[-1] == "queen"
    with pytest.raises(UserError, match="did you mean 'king'"):
        show_nearest(["king"], vectors[:1], "kin", 1)


@pytest.mark.parametrize("words", [["--format", "xml"], ["--count", "0"]])
def test_wrong_options_are_one_line(words: list[str]) -> None:
    with pytest.raises(UserError, match=words[1]):
        read_options(words)
