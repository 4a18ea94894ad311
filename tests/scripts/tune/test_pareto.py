"""Two objectives: the front is what no trial beats, samplers get both numbers, and what needs one number is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from common.messages import UserError
from scripts.tune import pareto
from scripts.tune.samplers import propose, to_unit
from scripts.tune.space import Space, read_space
from scripts.verbs import tune
from tests.scripts.tune.test_space import written

PARAMETERS = {"size": {"low": 1.0, "high": 100.0}}


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return read_space(written(tmp_path, PARAMETERS, mode="max", metric="val/acc", second="parameters"))


def trial(space: Space, draw: int, value: float | None, second: float, size: float = 1.0) -> FrozenTrial:
    return create_trial(
        state=TrialState.COMPLETE if value is not None else TrialState.RUNNING,
        value=value,
        params={"size": size},
        distributions=space.parameters,
        intermediate_values={1: value if value is not None else 0.0},
        user_attrs={"draw": draw, "second": second},
    )


def test_the_front_is_what_no_other_trial_beats_in_both(space: Space) -> None:
    values = [(0.9, 50.0), (0.8, 10.0), (0.7, 20.0), (0.9, 60.0), (0.8, 10.0), (0.95, 90.0), (None, 1.0)]
    trials = [trial(space, k, *pair) for k, pair in enumerate(values)]
    assert [t.user_attrs["draw"] for t in pareto.front(space, trials)] == [1, 0, 5], "half a training, or an equal one"
    for found in pareto.front(space, trials):  # by the definition
        beaten = [v >= found.value and c <= found.user_attrs["second"] for _, v, c in pareto.pairs(space, trials)]
        same = [(v, c) == (found.value, found.user_attrs["second"]) for _, v, c in pareto.pairs(space, trials)]
        assert beaten == same
    assert pareto.rows_of(space, trials)[0] == {"trial": 1, "val/acc": 0.8, "parameters": 10.0, "size": 1.0}


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_sampler_with_a_model_learns_from_both_objectives(name: str, space: Space) -> None:
    """The accuracy is the same everywhere, so that small networks are the whole front; without the second number a
    sampler would have nothing to learn.
    """
    sizes = [propose("random", space, [], draw, 0)["size"] for draw in range(15)]
    trials = [trial(space, k, 0.5, size, size) for k, size in enumerate(sizes)]
    found = [to_unit(space, propose(name, space, trials, 15 + k, 0))[0] for k in range(3)]
    assert sum(found) / 3 < 0.25


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--second", "watts"], "invalid choice: 'watts'"),
        (["--second", "seconds", "--scheduler", "asha"], "compares one number, seconds is a second one: take none"),
        (["--second", "seconds", "--sampler", "own_gp"], "has one objective, seconds is a second one: take tpe"),
    ],
)
def test_what_needs_one_number_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        tune.main(["cnn/lenet", *words])


def test_a_space_with_a_wrong_second_objective_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="second is 'watts': give one of parameters, seconds"):
        read_space(written(tmp_path, PARAMETERS, second="watts"))


def test_a_study_of_one_objective_is_the_study_that_it_was(tmp_path: Path) -> None:
    one = read_space(written(tmp_path, PARAMETERS))
    assert "second" not in json.loads(one.text()) and Space.of_text(one.text()) == one
    one.second = "seconds"
    assert Space.of_text(one.text()).second == "seconds"


@pytest.mark.slow
@pytest.mark.parametrize("second", ["parameters", "seconds"])
def test_a_search_of_two_objectives_reports_its_front(
    second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two sizes of an MLP: the larger one has more parameters, and both stay where it is the better one."""
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    hidden: dict[str, Any] = {"model.hidden_sizes": {"choices": [[2], [64]]}}
    path = written(tmp_path, hidden, max_epochs=1)
    words = ["--space", str(path), "--second", second, "--sampler", "grid", "--study", "a", "--refit", "0"]
    assert tune.main(["mlp/mlp", *words, "--data.batch_size", "400", "--jobs", "2"]) == 0
    folder = tmp_path / "runs/mlp/mlp/tune/a"
    report = json.loads((folder / "report.json").read_text())
    front = report["front"]
    assert report["second"] == second and front and "Pareto front: trial" in capsys.readouterr().out
    assert (folder / "pareto.png").is_file() and "Pareto front" in (folder / "report.html").read_text()
    if second == "parameters":
        assert [row["parameters"] for row in front] == [784 * n + n + 10 * n + 10 for n in (2, 64)]
    else:
        assert all(0 < row["seconds"] < 300 for row in front)
    with pytest.raises(UserError, match=r"is of another space \(second\)"):
        tune.main(["mlp/mlp", *words[:2], "--study", "a", "--resume", "--sampler", "grid", "--scheduler", "none"])
