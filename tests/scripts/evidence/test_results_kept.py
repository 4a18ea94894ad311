"""`dive results` keeps what was measured: a run that fails later costs neither the seeds nor the other recipes."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import RunError
from scripts.cli import main
from scripts.evidence import results
from scripts.front.recipes import find_recipe
from tests.scripts.evidence.toy_project import add_recipe, edit, record, stored_row


def test_an_ablation_that_fails_leaves_the_seeds_and_stale_adds_the_rest(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[tuple[int, bool]] = []

    def run_once(recipe: Any, seed: int, words: list[str]) -> dict[str, Any]:
        ran.append((seed, bool(words)))
        if words and broken:
            raise RunError("`dive fit toy/one` ended with exit code 1: out of memory")
        return record(0.5 if words else 0.95)

    monkeypatch.setattr(results, "run_once", run_once)
    broken = True
    assert main(["results", "toy/one"]) == 1
    assert "toy/one: `dive fit toy/one` ended with exit code 1: out of memory" in capsys.readouterr().err
    assert [run["seed"] for run in stored_row("toy/one")["runs"]] == [0, 1, 2]
    assert results.status(find_recipe("toy/one")) == "stale" and "**stale**" in (project / "RESULTS.md").read_text()
    broken = False
    ran.clear()
    assert main(["results", "--stale"]) == 0
    assert ran == [(0, True)] and results.status(find_recipe("toy/one")) == "fresh"
    row = stored_row("toy/one")
    assert row["ablation"]["metrics"]["test/acc"] == 0.5 and row["baseline"]["metrics"]["test/acc"] == 0.75


def test_a_seed_that_fails_leaves_the_seeds_before_it_but_replaces_no_longer_row(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_once(recipe: Any, seed: int, words: list[str]) -> dict[str, Any]:
        if seed >= working:
            raise RunError("out of memory")
        return record(0.5 if words else 0.95)

    monkeypatch.setattr(results, "run_once", run_once)
    working = 2
    assert main(["results", "toy/one"]) == 1
    assert "toy/one: seed 2: out of memory" in capsys.readouterr().err
    assert [run["seed"] for run in stored_row("toy/one")["runs"]] == [0, 1]
    assert results.status(find_recipe("toy/one")) == "stale"
    working = 1
    assert main(["results", "toy/one"]) == 1
    assert [run["seed"] for run in stored_row("toy/one")["runs"]] == [0, 1]
    working = 3
    assert main(["results", "toy/one"]) == 0
    assert [run["seed"] for run in stored_row("toy/one")["runs"]] == [0, 1, 2]
    assert results.status(find_recipe("toy/one")) == "fresh"


def test_an_interruption_keeps_the_seeds_before_it_and_the_same_command_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    def run_once(recipe: Any, seed: int, words: list[str]) -> dict[str, Any]:
        if seed == stopped:
            raise KeyboardInterrupt
        ran.append(seed)
        return record(0.5 if words else 0.95)

    def interrupted(*seeds: int) -> list[int]:
        ran.clear()
        with pytest.raises(KeyboardInterrupt):
            results.measure(find_recipe("toy/one"), list(seeds), [])
        return ran

    monkeypatch.setattr(results, "run_once", run_once)
    stopped = 2
    assert interrupted(0, 1, 2) == [0, 1]
    row = stored_row("toy/one")
    assert [run["seed"] for run in row["runs"]] == [0, 1] and row["differs"] == "not measured yet: seeds 2"
    assert results.status(find_recipe("toy/one")) == "stale"
    stopped = 5  # other seeds begin anew, and one seed does not replace two
    assert interrupted(3, 5) == [3] and [run["seed"] for run in stored_row("toy/one")["runs"]] == [0, 1]
    stopped = -1
    ran.clear()
    assert main(["results", "--stale"]) == 0
    assert ran == [2, 0] and [run["seed"] for run in stored_row("toy/one")["runs"]] == [0, 1, 2]  # and the ablation
    assert results.status(find_recipe("toy/one")) == "fresh"


def test_an_interruption_of_the_digest_keeps_all_seeds(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> dict[str, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "run_once", lambda recipe, seed, words: record(0.5 if words else 0.95))
    with monkeypatch.context() as patch:
        patch.setattr(results, "digest", stopped)
        with pytest.raises(KeyboardInterrupt):
            results.measure(find_recipe("toy/one"), [0, 1], [])
    assert [run["seed"] for run in stored_row("toy/one")["runs"]] == [0, 1]
    assert main(["results", "--stale"]) == 0 and results.status(find_recipe("toy/one")) == "fresh"


def test_seeds_whose_ablation_is_missing_are_not_fresh_after_a_repair(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_once(recipe: Any, seed: int, words: list[str]) -> dict[str, Any]:
        if words:
            raise RunError("no")
        return record(0.95)

    monkeypatch.setattr(results, "run_once", run_once)
    main(["results", "toy/one"])
    edit(project / "datamodules/toy.py", "5", "6")  # the same steps
    main(["results", "--refresh"])
    assert results.status(find_recipe("toy/one")) == "stale"
    assert stored_row("toy/one")["differs"] == results.INCOMPLETE


def test_a_recipe_that_fails_does_not_keep_the_others_from_being_measured(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_recipe(project, "two")

    def run_once(recipe: Any, seed: int, words: list[str]) -> dict[str, Any]:
        if recipe.name == "toy/one":
            raise RunError("it does not learn")
        return record(0.5 if words else 0.95)

    monkeypatch.setattr(results, "run_once", run_once)
    assert main(["results", "toy/one", "toy/two"]) == 1
    assert "toy/one: it does not learn" in capsys.readouterr().err
    assert results.status(find_recipe("toy/two")) == "fresh" and results.load(find_recipe("toy/one")) is None


def test_an_ablation_that_the_header_no_longer_has_is_removed_and_nothing_is_trained(
    project: Path, steps: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(project / "configs/toy/one.yaml", "# ablation: --model.width 1\n", "")
    edit(project / "datamodules/toy.py", "5", "6")
    steps["ablation"] = "none"
    monkeypatch.setattr(results, "run_once", lambda *_: pytest.fail("something was trained"))
    assert main(["results", "--refresh"]) == 0
    row = stored_row("toy/one")
    assert "ablation" not in row and row["digest"] == steps and len(row["runs"]) == 3
    assert results.status(find_recipe("toy/one")) == "fresh"
