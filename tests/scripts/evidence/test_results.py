"""`dive results`: rendering, picking and checking, on a made-up project; one real measurement is slow."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from scripts.cli import main
from scripts.evidence import results, results_runs
from scripts.evidence.fingerprint import fingerprint
from scripts.evidence.results_page import number, simple
from scripts.front.recipes import find_recipe
from tests.scripts.evidence.toy_project import HEAD, SIMPLE, STEPS, add_recipe, edit, record, stored_row


def test_the_readme_shows_the_measured_numbers(project: Path, runs: dict[int, float]) -> None:
    assert main(["results", "toy/one"]) == 0
    text = (project / "README.md").read_text()
    assert text == "One: <!--toy/one test/acc-->0.9500<!---->, two: <!--toy/two test/acc-->not run<!---->.\n"


# -- measuring and rendering ------------------------------------------------------------------------------------------


def test_measuring_stores_every_seed_and_renders_mean_and_deviation(project: Path, runs: dict[int, float]) -> None:
    assert main(["results", "toy/one"]) == 0
    stored = stored_row("toy/one")
    assert [run["metrics"] for run in stored["runs"]] == [{"test/loss": 0.1, "test/acc": a} for a in runs.values()]
    assert stored["metrics"]["test/acc"] == {"mean": pytest.approx(0.95), "std": pytest.approx(0.01)}
    assert stored["ablation"]["metrics"]["test/acc"] == 0.5 and stored["commit"] == "abc"
    assert stored["digest"] == STEPS and stored["chance"] == SIMPLE["chance"]
    line = next(line for line in (project / "RESULTS.md").read_text().splitlines() if "toy/one" in line)
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "`toy/one`", "`dive fit toy/one`", "test/acc", "0.9500 ± 0.0100 (3 seeds)", ">= 0.9000", "0.2500", "0.7500",
        "0.5000 (`--model.width 1`)", "0.88 (figure 1)", "7", "10 (cpu, 1 threads)", "1",
    ]  # fmt: skip


def test_a_recipe_without_result_is_shown_as_not_run(project: Path) -> None:
    assert main(["results", "--render"]) == 0
    (line,) = [line for line in (project / "RESULTS.md").read_text().splitlines() if "toy/one" in line]
    assert "| not run |" in line and "stale" not in line and "0.88 (figure 1)" in line


def test_a_row_is_unchecked_then_fresh_or_stale(
    project: Path, runs: dict[int, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["results", "toy/one"])
    edit(project / "datamodules/toy.py", "5", "6")
    main(["results", "--render"])
    assert "| `toy/one` **unchecked** |" in (project / "RESULTS.md").read_text()
    main(["results", "--refresh"])  # the same steps
    assert "| `toy/one` |" in (project / "RESULTS.md").read_text()
    edit(project / "datamodules/toy.py", "6", "7")
    monkeypatch.setattr(results, "digest", lambda recipe, extra: {"losses": "2.3 2.1"})
    main(["results", "--refresh"])
    assert "| `toy/one` **stale** |" in (project / "RESULTS.md").read_text()
    capsys.readouterr()
    main(["results", "--list"])
    assert capsys.readouterr().out == "stale     toy/one: losses, word 2: 2.2 was measured, now 2.1\n"


def test_refresh_takes_the_arguments_of_the_row(
    project: Path, runs: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["results", "toy/one", "--extra", "--model.width", "7 8"])
    edit(project / "datamodules/toy.py", "5", "6")
    given = []
    monkeypatch.setattr(results, "digest", lambda recipe, extra: given.append(extra) or dict(STEPS))
    main(["results", "--refresh"])
    main(["results", "--refresh"])  # nothing is left to look at
    assert given == [["--model.width", "7 8"]]


def test_measuring_without_a_digest_keeps_the_numbers(
    project: Path, runs: dict[int, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(recipe: Any, extra: list[str]) -> dict[str, str]:
        raise UserError("no file")

    monkeypatch.setattr(results, "digest", refuse)
    assert main(["results", "toy/one"]) == 0
    assert "note: toy/one: no file; the row has no digest" in capsys.readouterr().err
    assert stored_row("toy/one")["digest"] == {} and results.status(find_recipe("toy/one")) == "fresh"
    edit(project / "datamodules/toy.py", "5", "6")
    monkeypatch.setattr(results, "digest", lambda recipe, extra: dict(STEPS))
    main(["results", "--refresh"])
    assert stored_row("toy/one")["differs"] == "nothing was kept to compare with"


def test_extra_arguments_are_shown_and_reach_every_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(
        results, "run_once", lambda recipe, seed, words: given.append(words) or record(0.95 - len(words))
    )
    main(["results", "toy/one", "--seeds", "4", "--extra", "--trainer.max_epochs", "2"])
    assert given == [["--trainer.max_epochs", "2"], ["--trainer.max_epochs", "2", "--model.width", "1"]]
    page = (project / "RESULTS.md").read_text()
    assert "`dive fit toy/one --trainer.max_epochs 2`" in page and "(1 seed)" in page and "±" not in page.split("##")[1]


def test_a_mean_below_the_threshold_fails(project: Path, runs: dict[int, float]) -> None:
    runs.update({0: 0.8, 1: 0.8, 2: 0.8})
    assert main(["results", "toy/one"]) == 1
    assert "**falls short**" in (project / "RESULTS.md").read_text()


def test_an_ablation_that_meets_the_threshold_fails(project: Path, runs: dict[int, float]) -> None:
    edit(project / "configs/toy/one.yaml", "test/acc >= 0.9", "test/acc >= 0.4")
    assert main(["results", "toy/one"]) == 1
    assert "**passes, and must not**" in (project / "RESULTS.md").read_text()


def test_a_threshold_from_above_is_read_as_such(project: Path, runs: dict[int, float]) -> None:
    edit(project / "configs/toy/one.yaml", "test/acc >= 0.9", "test/acc <= 0.9")
    assert main(["results", "toy/one"]) == 1  # 0.95 is above, the ablation's 0.5 below
    page = (project / "RESULTS.md").read_text()
    assert "**falls short**" in page and "**passes, and must not**" in page


def test_an_ablation_that_is_no_arguments_is_a_mistake_before_anything_runs(
    project: Path, runs: dict[int, float], capsys: pytest.CaptureFixture[str]
) -> None:
    edit(project / "configs/toy/one.yaml", "--model.width 1", "TODO")
    runs.clear()
    assert main(["results", "toy/one"]) == 2
    assert "one.yaml: ablation is 'TODO'" in capsys.readouterr().err


def test_a_failed_run_ends_with_1_and_its_last_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(results.RunError, match=r"`dive nonsense` ended with exit code 2: dive: no command 'nonsense'"):
        results_runs.dive("nonsense", runs=str(project))


@pytest.mark.parametrize("argv", [[], ["toy/one", "--stale"], ["--list", "--render"], ["toy/one", "--refresh"]])
def test_one_job_at_a_time(argv: list[str], project: Path) -> None:
    assert main(["results", *argv]) == 2


def test_small_and_large_numbers_keep_three_figures() -> None:
    assert [number(v) for v in (0.97215, 0.0, 5.03e-5, 12345.6, -2.5)] == [
        "0.9721",
        "0.0000",
        "5.03e-05",
        "1.23e+04",
        "-2.5000",
    ]


def test_a_recipe_with_folds_runs_each_and_keeps_their_mean(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(project, "folded", HEAD.replace("# threshold", "# folds: 2\n# threshold"))
    monkeypatch.setattr(results, "run_once", lambda recipe, seed, words: record(0.9 + 0.04 * int(words[3])))
    assert main(["results", "toy/folded", "--seeds", "0", "1"]) == 1  # the ablation is as good
    stored = stored_row("toy/folded")
    assert stored["metrics"]["test/acc"] == {"mean": pytest.approx(0.92), "std": pytest.approx(0.0)}
    assert [fold["test/acc"] for fold in stored["runs"][0]["folds"]] == pytest.approx([0.9, 0.94])
    assert stored["ablation"]["metrics"]["test/acc"] == pytest.approx(0.92)
    before = fingerprint(find_recipe("toy/folded"), project)
    edit(project / "configs/toy/folded.yaml", "folds: 2", "folds: 3")
    assert fingerprint(find_recipe("toy/folded"), project) != before


def test_boosted_trees_stand_beside_the_baseline() -> None:
    metrics = {"metrics": {"test/rmse": 0.125}}
    assert simple({"baseline": metrics, "trees": metrics}, "test/rmse") == "0.1250; trees 0.1250"
    assert simple({"baseline": metrics}, "test/rmse") == "0.1250" and simple({}, "test/rmse") == "-"


def test_stale_reruns_stale_rows_only_with_their_own_seeds(
    project: Path, runs: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_recipe(project, "two")
    add_recipe(project, "never")
    main(["results", "toy/one", "toy/two", "--seeds", "0", "2"])
    edit(project / "configs/toy/two.yaml", "data: {", "trainer: {max_epochs: 2}\ndata: {")
    monkeypatch.setattr(results, "digest", lambda recipe, extra: {"losses": "2.3 2.1"})
    main(["results", "--refresh"])
    ran = []
    monkeypatch.setattr(
        results, "run_once", lambda recipe, seed, words: ran.append((recipe.name, seed)) or record(0.95)
    )
    main(["results", "--stale"])
    assert ran == [("toy/two", 0), ("toy/two", 2), ("toy/two", 0)]  # two seeds and the ablation
    assert results.status(find_recipe("toy/two")) == "fresh"


def test_where_only_the_ablation_takes_other_steps_only_the_ablation_is_measured(
    project: Path, steps: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(project / "configs/toy/one.yaml", "data: {", "trainer: {max_epochs: 2}\ndata: {")
    steps["ablation"] = "losses: 2.6 2.4"
    main(["results", "--refresh"])
    assert stored_row("toy/one")["differs"].startswith("ablation, losses, word 1")
    monkeypatch.setattr(results, "run_once", lambda recipe, seed, words: record(0.25))
    main(["results", "--stale"])
    row = stored_row("toy/one")
    assert results.status(find_recipe("toy/one")) == "fresh" and row["digest"] == steps
    assert row["ablation"]["metrics"]["test/acc"] == 0.25 and row["metrics"]["test/acc"]["mean"] == pytest.approx(0.95)


# -- checking -------------------------------------------------------------------------------------------------------


@pytest.fixture
def five(project: Path, runs: dict[int, float]) -> list[str]:
    names = ["one", "two", "three", "four", "five"]
    for name in names[1:]:
        add_recipe(project, name)
    main(["results", *(f"toy/{name}" for name in names)])
    return names


def test_the_commit_decides_which_rows_are_checked(five: list[str]) -> None:
    chosen = [tuple(r.name for r in results.pick(2, f"commit {k}")) for k in range(20)]
    assert [r.name for r in results.pick(2, "commit 0")] == list(chosen[0])
    assert all(len(set(pair)) == 2 for pair in chosen)
    assert {name for pair in chosen for name in pair} == {f"toy/{name}" for name in five}


def test_stale_slow_online_single_and_altered_rows_are_not_checked(project: Path, five: list[str]) -> None:
    edit(project / "configs/toy/one.yaml", "offline", "downloaded")
    edit(project / "configs/toy/two.yaml", "data: {", "trainer: {max_epochs: 2}\ndata: {")
    for name, change in (("three", {"cpu_seconds": 1000.0}), ("four", {})):
        stored = stored_row(f"toy/{name}")
        stored["runs"][0] |= change
        stored["extra"] = [] if change else ["--trainer.max_epochs", "1"]
        results.store(find_recipe(f"toy/{name}"), stored)
    assert [r.name for r in results.pick(9, "abc")] == ["toy/five"]
    main(["results", "toy/five", "--seeds", "0"])
    assert results.pick(9, "abc") == []


@pytest.mark.parametrize(("now", "code"), [(0.95, 0), (0.905, 0), (0.895, 1), (1.005, 1), (float("nan"), 1)])
def test_check_allows_four_deviations_and_a_hundredth(
    project: Path, runs: dict[int, float], now: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["results", "toy/one"])  # 0.95 ± 0.01: 0.04 + 0.0095 are allowed
    runs[0] = now
    assert main(["results", "--check", "2"]) == code
    assert ("FAIL" in capsys.readouterr().out) == bool(code)


def test_check_runs_all_rows_after_one_that_is_off(
    five: list[str], runs: dict[int, float], capsys: pytest.CaptureFixture[str]
) -> None:
    runs[0] = 0.1
    assert main(["results", "--check", "3"]) == 1
    assert capsys.readouterr().out.count("FAIL") == 3


@pytest.mark.slow
def test_a_real_recipe_is_measured_rendered_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "PAGE", tmp_path / "RESULTS.md")
    (tmp_path / "README.md").touch()
    assert main(["results", "linear/linear_regression", "--seeds", "0", "1"]) == 0
    stored = stored_row("linear/linear_regression")
    assert len(stored["digest"]["losses"].split()) == 5
    assert stored["baseline"]["metrics"]["test/rmse"] < stored["chance"]["metrics"]["test/rmse"] / 100
    assert "| `linear/linear_regression` | " in (tmp_path / "RESULTS.md").read_text()
    assert results.check(find_recipe("linear/linear_regression"))
    assert not list(tmp_path.glob("runs/*"))
