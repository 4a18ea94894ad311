"""Results that two processes write, and writes that fail: nothing is lost, and no file is half written."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from scripts.cli import main
from scripts.evidence import bench, pages, performance, results, verify
from scripts.evidence.results_files import read_topic, write_csv, write_topic
from scripts.evidence.results_page import fill_numbers
from scripts.evidence.rows_file import locked
from scripts.front.recipes import find_recipe
from tests.scripts.evidence.toy_project import add_recipe, edit, stored_row


def test_a_result_waits_for_another_process_and_keeps_what_that_wrote(project: Path, runs: dict[int, float]) -> None:
    add_recipe(project, "two")
    main(["results", "toy/one"])
    row = stored_row("toy/one")
    waiting = threading.Thread(target=results.store, args=(find_recipe("toy/two"), row | {"recipe": "toy/two"}))
    with locked(results.RESULTS):
        others = read_topic(results.RESULTS, "toy") | {"toy/three": row | {"recipe": "toy/three"}}
        waiting.start()
        waiting.join(0.2)
        write_topic(results.RESULTS, "toy", others)
    waiting.join(10)
    assert list(read_topic(results.RESULTS, "toy")) == ["toy/one", "toy/three", "toy/two"]


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "cnn.csv"
    write_csv(path, ["a"], [{"a": 1}])
    with pytest.raises(ValueError, match="not in fieldnames"):
        write_csv(path, ["a"], [{"a": 2}, {"b": 3}])
    assert path.read_text() == "a\n1\n" and list(tmp_path.iterdir()) == [path]


def broken_disk(*_: Any) -> None:
    raise OSError("no space left")


def test_measurements_are_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {
        "bench.json": "{}",
        "parity.json": '{"checks": []}',
        "performance.json": json.dumps({"overlap": {"rows": []}}),
    }
    (tmp_path / "results").mkdir()
    for name, text in before.items():
        (tmp_path / "results" / name).write_text(text)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "run", lambda *_: {"parts": {}, "training": []})
    monkeypatch.setattr(bench, "render", lambda found: "a page")
    monkeypatch.setattr(performance, "RESULT", tmp_path / "results" / "performance.json")
    monkeypatch.setattr(os, "replace", broken_disk)
    for write in (
        lambda: bench.main(["startup", "--write"]),
        lambda: verify.write([], tmp_path, []),
        lambda: performance.keep("overlap", {"rows": [1]}),
    ):
        with pytest.raises(OSError, match="no space left"):
            write()
    assert {p.name: p.read_text() for p in (tmp_path / "results").iterdir()} == before


def test_a_page_waits_for_another_command_that_writes_it(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("<!--a/b test/acc-->?<!---->")
    result: dict[str, Any] = {"a/b": {"metrics": {"test/acc": {"mean": 0.5}}}}
    waiting = threading.Thread(target=pages.fill_pages, args=(result, tmp_path))
    with locked(tmp_path):
        waiting.start()
        waiting.join(0.2)
        page.write_text("new <!--a/b test/acc-->?<!---->")
    waiting.join(10)
    assert page.read_text() == "new <!--a/b test/acc-->0.5000<!---->"


def test_small_studies_do_not_replace_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "run", lambda *_: pytest.fail("something was measured"))
    with pytest.raises(UserError, match="--small is not a measurement: leave out --write"):
        performance.main(["hardware", "--small", "--write"])


def test_a_marker_without_its_metric_is_one_line_before_anything_is_run(
    project: Path, runs: dict[int, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["results", "toy/one"]) == 0
    edit(project / "README.md", "toy/one test/acc", "toy/one test/accc")
    (project / "RESULTS.md").unlink()
    monkeypatch.setattr(results, "run_once", lambda *_: pytest.fail("something was trained"))
    for words in (["toy/one"], ["--render"]):
        assert main(["results", *words]) == 2
        says = "README.md: <!--toy/one test/accc-->: toy/one has no test/accc: did you mean 'test/acc'?"
        assert says in capsys.readouterr().err
    assert not (project / "RESULTS.md").exists()
    with pytest.raises(UserError, match="a/b has no test/bleu: there are test/acc"):
        fill_numbers("<!--a/b test/bleu-->?<!---->", {"a/b": {"metrics": {"test/acc": {"mean": 1.0}}}}, "p.md")
