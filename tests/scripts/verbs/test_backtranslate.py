"""`dive backtranslate` with a run of two steps: pairs that the next run trains on, and one line for each mistake."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from common.messages import UserError
from scripts.cli import main
from scripts.front.runs import newest_run
from scripts.verbs import backtranslate
from scripts.verbs.backtranslate import translated

SMALL = ["--data.train_size", "60", "--data.val_size", "8", "--data.test_size", "8", "--data.batch_size", "8",
         "--model.hidden_size", "8", "--model.ffn_size", "8", "--trainer.max_epochs", "1", "--data", "Toy"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reverse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(folder / "runs"))
        patch.delenv("DIVE_RUN_DIR", raising=False)
        assert main(["fit", "attention/transformer", *SMALL]) == 0
        return newest_run("attention/transformer").resolve()


def test_pairs_are_written_with_a_tag_and_a_child_of_the_run_trains_on_them(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The child begins with the weights and vocabularies of the run (Zoph et al. 2016)."""
    texts, output = tmp_path / "texts", tmp_path / "synthetic.tsv"
    texts.write_text("a b c\n\nb\u2028a\nc c  a b\n", encoding="utf-8")  # a line may have other separators
    words = ["--run", str(run), "--texts", str(texts), "--output", str(output)]
    assert main(["backtranslate", *words, "--tag", "<2x>", "--beam", "2", "--rows", "2"]) == 0
    rows = [line.split("\t") for line in output.read_text().splitlines()]
    targets = [row[1] for row in rows]  # a network of two steps may translate a text by nothing
    assert 1 < len(targets) <= 3 and set(targets) <= {"a b c", "b a", "c c a b"}
    assert all(row[0].startswith("<BT> <2x> ") for row in rows)
    shown = capsys.readouterr()
    assert f"{len(rows)} pairs in" in shown.out and ("empty translation" in shown.err) == (len(rows) < 3)
    assert main(["backtranslate", *words]) == 2  # the pairs of before stay
    assert f"--output {output} is there already" in capsys.readouterr().err
    assert len(output.read_text().splitlines()) == len(rows)
    output.unlink()
    assert main(["backtranslate", *words, "--untagged"]) == 0
    assert not output.with_name("synthetic.tsv.part").exists()
    assert all("<" not in line for line in output.read_text().splitlines())
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("DIVE_RUN_DIR", raising=False)
    child = ["--model.weights", str(run), "--data.vocabulary", str(run), "--data.synthetic", str(output)]
    assert main(["fit", "attention/transformer", *SMALL, *child]) == 0
    assert main(["test", "attention/transformer"]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "which texts? --texts FILE"),
        (["--texts", "{empty}"], "is empty: give a file with text"),
        (["--texts", "{empty}", "--beam", "0"], "--beam 0 --rows 64: give at least 1"),
        (["--texts", "nowhere"], "no file nowhere: give --texts a text file"),
    ],
)
def test_a_mistake_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    (tmp_path / "empty").write_text("\n\n")
    words = [word.format(empty=tmp_path / "empty") for word in words]
    assert main(["backtranslate", "--run", str(run), *words]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert main(["backtranslate", "--texts", "x"]) == 2


def test_what_is_translated_when_it_is_interrupted_is_kept(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, output = tmp_path / "texts", tmp_path / "pairs.tsv"
    texts.write_text("a\nb\nc\n")
    batches = iter([["A", "B"], KeyboardInterrupt()])

    def some(*_: object) -> list[str]:
        if isinstance(found := next(batches), BaseException):
            raise found
        return found

    monkeypatch.setattr(backtranslate, "translated", some)
    monkeypatch.setattr(backtranslate, "BATCHES", 1)
    with pytest.raises(KeyboardInterrupt):
        backtranslate.main(["--run", str(run), "--texts", str(texts), "--output", str(output), "--rows", "2"])
    assert not output.exists() and output.with_name("pairs.tsv.part").read_text() == "<BT> A\ta\n<BT> B\tb\n"
    with pytest.raises(UserError, match=r"pairs.tsv.part is there already"):  # nor is it replaced
        backtranslate.main(["--run", str(run), "--texts", str(texts), "--output", str(output)])


def test_each_text_has_its_own_translation_though_like_lengths_go_together() -> None:
    texts = ["a b c", "d", "e f"]
    data = SimpleNamespace(
        source_tokenizer=SimpleNamespace(encode=str.split),
        normalize=str,
        max_length=9,
        encode_source=lambda rows: (torch.tensor([[texts.index(row)] for row in rows]), torch.ones(len(rows))),
        decode_target=lambda ids: [texts[int(i)].upper() for i in ids],
    )
    model = SimpleNamespace(device="cpu", outputs=lambda source, length: source)
    assert translated(model, data, texts, rows=2) == ["A B C", "D", "E F"]
