"""`dive significance`: a run against itself and another one, which pairs are compared, one line for each mistake."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.messages import UserError
from lit_models.tasks.seq2seq import Seq2Seq
from scripts.cli import main
from scripts.evidence import gains
from scripts.verbs.significance import rows_of_test, show
from tests.scripts.verbs.test_backtranslate import SMALL


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("significance")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DIVE_RUN_DIR", raising=False)
        for seed in ("0", "1"):
            patch.setenv("DIVE_RUNS", str(root / seed))
            assert main(["fit", "attention/transformer", *SMALL, "--seed_everything", seed]) == 0
    return [str(path.parent) for path in sorted(root.glob("*/attention/transformer/2*/config.yaml"))]


def test_a_run_is_no_better_than_itself(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert len(runs) == 2
    assert main(["significance", runs[0], runs[0], runs[1]]) == 0
    shown = capsys.readouterr().out
    for title in ("BLEU", "chrF++"):
        assert re.search(rf"^{re.escape(title)} of 8 sentences, nrefs:1\|", shown, re.MULTILINE)
    assert len(re.findall(r"\+0\.0 ± 0\.0, p = 1\.000$", shown, re.MULTILINE)) >= 2  # itself, by both metrics
    assert shown.count(runs[1]) == 2


def test_a_comparison_is_written_on_request(runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(gains, "write", written.extend)
    assert main(["significance", *runs, runs[0], "--write"]) == 0
    row, same = written  # each with the first
    assert (same["chrf_p"], same["bleu_half"]) == (1, 0)
    assert set(row) == set(gains.COLUMNS) and row["sentences"] == 8
    assert row["first"].startswith("dive fit") and row["bleu_half"] > 0 and 0 < row["chrf_p"] < 1


def test_what_is_better_in_each_sentence_is_not_so_by_chance(capsys: pytest.CaptureFixture[str]) -> None:
    references = [f"the {word} is on the table in room {k}" for k in range(30) for word in ("cup", "book")]
    worse = [text.replace("table", "floor").replace("room", "house") for text in references]
    show(["first", "second"], [worse, references], references)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  second")]
    assert [re.findall(r"100\.0 ± 0\.0   \+(\d+)", row) != [] for row in rows] == [True, True]
    assert all(float(row.rpartition("= ")[2]) < 0.01 for row in rows)


def data_of(sources: list[str]) -> Any:
    """A datamodule whose test has these sources; the references are the same whatever the tags."""
    references = [source.rpartition(" ")[2] for source in sources]
    done = SimpleNamespace(sources={"test": sources}, references={"test": references})
    done.prepare_data, done.setup = lambda: None, lambda stage: None
    return done


def test_pairs_are_compared_without_their_tags() -> None:
    model = object.__new__(Seq2Seq)
    alone, several = (
        rows_of_test(model, data_of(texts), Path("run")) for texts in (["a b", "c d"], ["<2x> c d", "<2x> e f"])
    )
    assert [pair for pair in alone if pair in several] == [("c d", "d")]
    assert several["c d", "d"] == "<2x> c d"


def test_a_network_that_does_not_translate() -> None:
    with pytest.raises(UserError, match="run is a run of SimpleNamespace, which does not translate"):
        rows_of_test(SimpleNamespace(), data_of(["a b"]), Path("run"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["attention/transformer"], "two or more, the first is the baseline"),
        (["a", "b", "--rows", "0"], "--rows 0: give at least 1"),
    ],
)
def test_mistakes_are_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["significance", *words]) == 2
    assert says in capsys.readouterr().err
