"""`dive results`: rendering, staleness, picking and checking, on a made-up project; one real measurement is slow."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.base import TensorDataModule
from scripts import recipes, results
from scripts.baselines import baselines
from scripts.cli import main
from scripts.fingerprint import bare_code, fingerprint
from scripts.recipes import find_recipe
from scripts.results_page import number, simple

HEAD = """# A toy
# plan: 1
# section: D2L 0.0
# data: made up, offline
# expect: test/acc >= 0.9
# ablation: --model.width 1
# book: 0.88 (figure 1)
"""
CONFIG = "model: {class_path: lit_models.toy.net.LitNet}\ndata: {class_path: datamodules.toy.Data}\n"
FILES = {
    "README.md": "One: <!--toy/one test/acc-->x<!---->, two: <!--toy/two test/acc-->0.5<!---->.\n",
    "configs/default.yaml": "seed_everything: 0\n",
    "configs/toy/one.yaml": HEAD + CONFIG,
    "lit_models/toy/net.py": '"""A net."""\n\nfrom lit_models.layers import block\nimport callbacks.noise\nWIDTH = 3\n',
    "lit_models/layers/block.py": "from datamodules.base import x\n\n\ndef f():\n    from lit_models.deep import d\n",
    "lit_models/deep.py": "A = 1\n",
    "lit_models/unused.py": "B = 1\n",
    "datamodules/toy.py": "SIZE = 5\n",
    "datamodules/base.py": "x = 1\n",
    "callbacks/noise.py": "y = 1\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one recipe, ``toy/one``, with nothing run."""
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(recipes, "CONFIGS", root / "configs")
    monkeypatch.setattr(results, "ROOT", root)
    monkeypatch.setattr(results, "RESULTS", root / "results")
    monkeypatch.setattr(results, "PAGE", root / "RESULTS.md")
    monkeypatch.setattr(results, "simple_answers", lambda argv: SIMPLE)
    return root


def test_the_readme_shows_the_measured_numbers(project: Path, runs: dict[int, float]) -> None:
    assert main(["results", "toy/one"]) == 0
    text = (project / "README.md").read_text()
    assert text == "One: <!--toy/one test/acc-->0.9500<!---->, two: <!--toy/two test/acc-->not run<!---->.\n"


SIMPLE = {
    "chance": {"what": "the shares", "metrics": {"test/acc": 0.25}},
    "baseline": {"what": "logistic regression", "metrics": {"test/acc": 0.75}},
}


def record(acc: float, seconds: float = 10.0) -> dict[str, Any]:
    return {
        "commit": "abc",
        "versions": {"torch": "9"},
        "device": "cpu, 1 threads",
        "seconds": 3 * seconds,
        "cpu_seconds": seconds,
        "samples_per_second": 1000.0,
        "epochs": 10,
        "parameters": 7,
        "metrics": {"test/loss": 0.1, "test/acc": acc, "val/acc": 1.0},
    }


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """What each seed's run answers; an ablation answers 0.5. Filled and changed by the tests."""
    answers = {0: 0.94, 1: 0.95, 2: 0.96}

    def run_once(recipe: Any, seed: int, arguments: list[str]) -> dict[str, Any]:
        return record(0.5 if "--model.width" in arguments else answers[seed])

    monkeypatch.setattr(results, "run_once", run_once)
    return answers


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def add_recipe(project: Path, name: str, head: str = HEAD) -> None:
    (project / "configs/toy" / f"{name}.yaml").write_text(head + CONFIG)


# -- measuring and rendering ------------------------------------------------------------------------------------------


def test_measuring_stores_every_seed_and_renders_mean_and_deviation(project: Path, runs: dict[int, float]) -> None:
    assert main(["results", "toy/one"]) == 0
    stored = json.loads((project / "results/toy/one.json").read_text())
    assert [run["metrics"] for run in stored["runs"]] == [{"test/loss": 0.1, "test/acc": a} for a in runs.values()]
    assert stored["metrics"]["test/acc"] == {"mean": pytest.approx(0.95), "std": pytest.approx(0.01)}
    assert stored["ablation"]["metrics"]["test/acc"] == 0.5 and stored["threads"] == 1 and stored["commit"] == "abc"
    line = next(line for line in (project / "RESULTS.md").read_text().splitlines() if "toy/one" in line)
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "`toy/one`", "`dive fit toy/one`", "test/acc", "0.9500 ± 0.0100 (3 seeds)", ">= 0.9000", "0.2500", "0.7500",
        "0.5000 (`--model.width 1`)", "0.88 (figure 1)", "7", "10 (cpu, 1 threads)", "1",
    ]  # fmt: skip


def test_a_recipe_without_result_is_shown_as_not_run(project: Path) -> None:
    assert main(["results", "--render"]) == 0
    (line,) = [line for line in (project / "RESULTS.md").read_text().splitlines() if "toy/one" in line]
    assert "| not run |" in line and "stale" not in line and "0.88 (figure 1)" in line


def test_a_stale_result_is_marked(project: Path, runs: dict[int, float], capsys: pytest.CaptureFixture[str]) -> None:
    main(["results", "toy/one"])
    edit(project / "datamodules/toy.py", "5", "6")
    main(["results", "--render"])
    assert "| `toy/one` **stale** |" in (project / "RESULTS.md").read_text()
    main(["results", "--list"])
    assert "stale    toy/one" in capsys.readouterr().out


def test_extra_arguments_are_shown_and_reach_every_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(
        results, "run_once", lambda recipe, seed, words: given.append(words) or record(0.95 - len(words))
    )
    main(["results", "toy/one", "--seeds", "4", "--extra", "--trainer.max_epochs", "2"])
    assert given == [["--trainer.max_epochs", "2"], ["--trainer.max_epochs", "2", "--model.width", "1"]]
    page = (project / "RESULTS.md").read_text()
    assert "`dive fit toy/one --trainer.max_epochs 2`" in page and "(1 seed)" in page and "±" not in page.split("##")[1]


def test_a_mean_below_the_promise_fails(project: Path, runs: dict[int, float]) -> None:
    runs.update({0: 0.8, 1: 0.8, 2: 0.8})
    assert main(["results", "toy/one"]) == 1
    assert "**falls short**" in (project / "RESULTS.md").read_text()


def test_an_ablation_that_keeps_the_promise_fails(project: Path, runs: dict[int, float]) -> None:
    edit(project / "configs/toy/one.yaml", "test/acc >= 0.9", "test/acc >= 0.4")
    assert main(["results", "toy/one"]) == 1
    assert "**passes, and must not**" in (project / "RESULTS.md").read_text()


def test_a_promise_from_above_is_read_as_such(project: Path, runs: dict[int, float]) -> None:
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
    with pytest.raises(results.Failed, match=r"`dive nonsense` ended with exit code 2: dive: no command 'nonsense'"):
        results.dive("nonsense", runs=str(project))


@pytest.mark.parametrize("argv", [[], ["toy/one", "--stale"], ["--list", "--render"]])
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


# -- staleness ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("configs/toy/one.yaml", "data: {", "trainer: {max_epochs: 2}\ndata: {"),
        ("configs/toy/one.yaml", "--model.width 1", "--model.width 2"),
        ("configs/default.yaml", "0", "1"),
        ("lit_models/toy/net.py", "3", "4"),
        ("lit_models/layers/block.py", "def f()", "def g()"),  # from package import module
        ("lit_models/deep.py", "1", "2"),  # imported by what the model imports, inside a function
        ("datamodules/toy.py", "5", "6"),
        ("datamodules/base.py", "1", "2"),
    ],
)
def test_what_decides_the_number_makes_it_stale(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(find_recipe("toy/one"), project)
    edit(project / file, old, new)
    assert fingerprint(find_recipe("toy/one"), project) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("configs/toy/one.yaml", "0.9", "0.8"),  # the promise is read against the result, it does not decide it
        ("configs/toy/one.yaml", "# A toy", "# Another toy"),
        ("lit_models/toy/net.py", "A net.", "A net, explained better."),
        ("lit_models/toy/net.py", "WIDTH = 3", "WIDTH = 3  # as in the paper"),
        ("lit_models/unused.py", "1", "2"),
        ("callbacks/noise.py", "1", "2"),
    ],
)
def test_what_does_not_decide_the_number_leaves_it_fresh(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(find_recipe("toy/one"), project)
    edit(project / file, old, new)
    assert fingerprint(find_recipe("toy/one"), project) == before


def test_bare_code_keeps_strings_that_are_no_docstrings_and_hashes_inside_strings() -> None:
    source = (
        '"""Doc."""\n\nclass A:\n    """Doc\n    of two lines."""\n\n    x = "#1"  # a comment\n    """not first"""\n'
    )
    assert bare_code(source) == 'class A:\n    x = "#1"\n    """not first"""'


def test_every_recipe_of_the_project_has_a_fingerprint_of_its_own() -> None:
    every = recipes.all_recipes()
    assert len({fingerprint(r, results.ROOT) for r in every}) == len(every)


def test_a_recipe_with_folds_runs_each_and_keeps_their_mean(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_recipe(project, "folded", HEAD.replace("# expect", "# folds: 2\n# expect"))
    monkeypatch.setattr(results, "run_once", lambda recipe, seed, words: record(0.9 + 0.04 * int(words[3])))
    assert main(["results", "toy/folded", "--seeds", "0", "1"]) == 1  # the ablation is as good
    stored = json.loads((project / "results/toy/folded.json").read_text())
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
    ran = []
    monkeypatch.setattr(
        results, "run_once", lambda recipe, seed, words: ran.append((recipe.name, seed)) or record(0.95)
    )
    main(["results", "--stale"])
    assert ran == [("toy/two", 0), ("toy/two", 2), ("toy/two", 0)]  # two seeds and the ablation
    assert results.status(find_recipe("toy/two")) == "fresh"


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
        path = project / f"results/toy/{name}.json"
        stored = json.loads(path.read_text())
        stored["runs"][0] |= change
        stored["extra"] = [] if change else ["--trainer.max_epochs", "1"]
        path.write_text(json.dumps(stored))
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


# -- baselines ------------------------------------------------------------------------------------------------------


class Tensors(TensorDataModule):
    """Splits given as they are."""

    def __init__(self, train: tuple[torch.Tensor, ...], test: tuple[torch.Tensor, ...]) -> None:
        super().__init__()
        self.given = {"train": train, "val": test, "test": test}

    def load(self, stage: str) -> dict[str, tuple[torch.Tensor, ...]]:
        return self.given

    def transform(self, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (batch[0].float() / 10, *batch[1:])


def test_baselines_of_classes_are_the_most_frequent_and_logistic_regression() -> None:
    x = torch.arange(100).reshape(100, 1, 1, 1)
    y = (torch.arange(100) >= 70).long()
    found = baselines(Tensors((x, y), (x[40:], y[40:])))
    chance = found["chance"]["metrics"]
    assert chance["test/acc"] == 0.5
    assert chance["test/loss"] == pytest.approx(-(np.log(0.7) + np.log(0.3)) / 2)
    assert found["baseline"]["metrics"]["test/acc"] > 0.95


def test_data_of_another_kind_answers_for_itself() -> None:
    class Own(Tensors):
        def baselines(self) -> dict[str, Any]:
            return {"chance": {"what": "guessing", "metrics": {"test/perplexity": 28.0}}}

    x, y = torch.randn(60, 3), torch.randn(60)
    assert baselines(Own((x, y), (x, y)))["chance"]["metrics"] == {"test/perplexity": 28.0}


def test_baselines_of_numbers_are_the_mean_and_least_squares() -> None:
    x = torch.randn(50, 3)
    y = x @ torch.tensor([1.0, 2.0, 3.0]) / 10 + 5
    found = baselines(Tensors((x, y), (x, y)))
    assert found["chance"]["metrics"]["test/rmse"] == pytest.approx(float(y.std(correction=0)), rel=1e-5)
    assert found["chance"]["metrics"]["test/r2"] == pytest.approx(0, abs=1e-9)
    assert found["baseline"]["metrics"]["test/rmse"] < 1e-5


class Table(Tensors):
    """Rows whose columns were of many kinds."""

    columns = ("one", "two")


def test_a_table_is_held_against_ridge_regression_and_boosted_trees() -> None:
    x = torch.randn(300, 2)
    y = (x[:, 0] > 0).float() * x[:, 1].sign()
    found = baselines(Table((x, y), (x, y)))
    assert found["baseline"]["what"].startswith("ridge") and found["trees"]["what"].startswith("boosted trees")
    assert found["trees"]["metrics"]["test/rmse"] < found["baseline"]["metrics"]["test/rmse"] / 3
    classes = baselines(Table((x, (y > 0).long()), (x, (y > 0).long())))
    assert classes["baseline"]["what"].startswith("logistic") and classes["trees"]["metrics"]["test/acc"] > 0.99


def test_a_large_training_set_is_sampled_and_the_row_says_so() -> None:
    x = torch.randn(10_001, 2)
    assert "on 10,000 of 10,001 training rows" in baselines(Tensors((x, x[:, 0]), (x, x[:, 0])))["baseline"]["what"]


@pytest.mark.parametrize(
    "split",
    [
        (torch.zeros(8, 3), torch.zeros(8, 5, dtype=torch.long)),  # tokens
        (torch.zeros(8, 3), torch.zeros(8, 3), torch.zeros(8)),  # pairs
        (torch.zeros(8, 5000), torch.zeros(8)),  # more columns than a quick fit takes
    ],
)
def test_other_data_has_no_baseline(split: tuple[torch.Tensor, ...]) -> None:
    assert baselines(Tensors(split, split)) == {}
    assert baselines(object()) == {}


@pytest.mark.slow
def test_a_real_recipe_is_measured_rendered_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "PAGE", tmp_path / "RESULTS.md")
    (tmp_path / "README.md").touch()
    assert main(["results", "linear/linear_regression", "--seeds", "0", "1"]) == 0
    stored = json.loads((tmp_path / "results/linear/linear_regression.json").read_text())
    assert stored["baseline"]["metrics"]["test/rmse"] < stored["chance"]["metrics"]["test/rmse"] / 100
    assert "| `linear/linear_regression` | " in (tmp_path / "RESULTS.md").read_text()
    assert results.check(find_recipe("linear/linear_regression"))
    assert not list(tmp_path.glob("runs/*"))
