"""Samplers: inside of the space, the same for the same draw, and better than chance where they have a model."""

from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from common.messages import UserError
from scripts.tune.samplers import NAMES, check_sampler, from_unit, grid, own_gp, propose, to_unit
from scripts.tune.space import Space, read_space
from tests.scripts.tune.test_space import written

PARAMETERS = {
    "lr": {"low": 0.001, "high": 1.0, "log": True},
    "size": {"low": 8, "high": 64},
    "kind": {"choices": ["a", "b", "c"]},
}


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return read_space(written(tmp_path, PARAMETERS, mode="max", metric="val/acc"))


def seen(space: Space, count: int, state: TrialState = TrialState.RUNNING) -> list[FrozenTrial]:
    """Trials of random places; the value is the higher, the nearer the learning rate is to 0.1."""
    found = []
    for draw in range(count):
        params = propose("random", space, [], draw, 0)
        u = to_unit(space, params)[0]
        found.append(
            create_trial(
                state=state,
                params=params,
                distributions=space.parameters,
                intermediate_values={1: 1 - (u - 2 / 3) ** 2},
                user_attrs={"draw": draw},
            )
        )
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if name != "grid"])
def test_a_proposal_is_in_the_space_and_the_same_again(name: str, space: Space) -> None:
    if name == "cmaes":
        pytest.importorskip("cmaes")
    trials = seen(space, 12)
    params = propose(name, space, trials, 12, 0)
    assert params.keys() == PARAMETERS.keys()
    assert all(space.parameters[key]._contains(space.parameters[key].to_internal_repr(params[key])) for key in params)
    assert propose(name, space, trials, 12, 0) == params


@pytest.mark.parametrize("name", ["tpe", "gp", "own_gp"])
def test_a_model_learns_from_trials_that_pause(name: str, space: Space) -> None:
    """They are running in the storage; a sampler that ignores them draws at random."""
    trials = seen(space, 15)
    distance = [abs(to_unit(space, propose(name, space, trials, 15 + k, 0))[0] - 2 / 3) for k in range(3)]
    blind = [abs(to_unit(space, propose(name, space, [], 15 + k, 0))[0] - 2 / 3) for k in range(3)]
    assert sum(distance) / 3 < 0.17 < sum(blind) / 3 + 0.05


@pytest.mark.parametrize("name", ["gp", "own_gp"])
def test_a_few_promoted_trials_leave_the_model_as_it_is(name: str, space: Space) -> None:
    """ASHA promotes a third: too few for a model of their epoch, and the epoch before has enough."""
    trials = seen(space, 15)
    before = [propose(name, space, trials, 15 + k, 0) for k in range(2)]
    for trial in sorted(trials, key=lambda trial: -trial.intermediate_values[1])[:5]:
        trial.intermediate_values |= {2: 0.5, 3: 0.5}
    assert [propose(name, space, trials, 15 + k, 0) for k in range(2)] == before


def test_the_own_process_looks_at_the_longest_training_that_enough_have(space: Space) -> None:
    trials = seen(space, 12)
    for trial in trials:
        trial.intermediate_values[2] = trial.intermediate_values[1]
        trial.intermediate_values[1] = -trial.intermediate_values[1]  # would lead away
    found = [to_unit(space, own_gp(space, trials, 12 + k, 0))[0] for k in range(2)]
    assert all(abs(u - 2 / 3) < 0.2 for u in found)


def test_cma_es_moves_from_generation_to_generation_with_nothing_kept(space: Space) -> None:
    """Trials that failed or are in training are missing; a sampler that begins anew each time stays where it began."""
    pytest.importorskip("cmaes")
    del space.parameters["kind"]
    trials: list[FrozenTrial] = []
    distances = []
    for draw in range(60):
        params = propose("cmaes", space, trials, draw, 0)
        place = to_unit(space, params)
        distances.append(sum((u - goal) ** 2 for u, goal in zip(place, (0.9, 0.2), strict=True)) ** 0.5)
        facts = {"distributions": space.parameters, "user_attrs": {"draw": draw}}
        done = create_trial(state=TrialState.RUNNING, params=params, intermediate_values={1: -distances[-1]}, **facts)
        trials += [done] if draw % 7 else []
    assert sum(distances[-12:]) / 12 < 0.1 < 0.3 < sum(distances[:6]) / 6
    assert propose("cmaes", space, trials, 60, 0) == propose("cmaes", space, trials[::-1], 60, 0)


def test_a_place_of_the_unit_cube_and_back(space: Space) -> None:
    for unit in ([0.0, 0.0, 0.0], [0.99, 0.99, 0.99], [0.3, 0.6, 0.5]):
        params = from_unit(space, unit)
        assert from_unit(space, to_unit(space, params)) == params
    assert from_unit(space, [0.5, 0, 0])["lr"] == pytest.approx(10**-1.5)


def test_a_grid_has_all_points_once_and_conditional_ones_where_they_exist(tmp_path: Path, space: Space) -> None:
    small: Any = {"k": {"choices": ["x", "y"]}, "n": {"low": 1, "high": 3, "when": {"k": "x"}}}
    found = read_space(written(tmp_path, small))
    assert grid(found) == [{"k": "x", "n": 1}, {"k": "x", "n": 2}, {"k": "x", "n": 3}, {"k": "y"}]
    assert [propose("grid", found, [], draw, 0) for draw in range(4)] == grid(found)
    with pytest.raises(UserError, match="4 points"):
        propose("grid", found, [], 4, 0)
    with pytest.raises(UserError, match="lr is a range without steps"):
        check_sampler("grid", space)
    huge = read_space(written(tmp_path, {name: {"low": 1, "high": 10**6} for name in "ab"}))
    with pytest.raises(UserError, match="has 1,000,000,000,000 points: give larger steps"):
        check_sampler("grid", huge)


def test_each_point_of_a_grid_of_steps_is_in_its_range(tmp_path: Path) -> None:
    found = read_space(written(tmp_path, {"a": {"low": 0.0, "high": 0.3, "step": 0.1}}))
    trials = [create_trial(value=0.0, params=p, distributions=found.parameters) for p in grid(found)]
    assert [trial.params["a"] for trial in trials] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_what_a_sampler_cannot_do_is_said_before_the_search(
    tmp_path: Path, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.tune.samplers.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install cmaes"):
        check_sampler("cmaes", space)
    with pytest.raises(UserError, match="own_gp takes no conditional parameters"):
        check_sampler(
            "own_gp",
            read_space(written(tmp_path, {"k": {"choices": [1, 2]}, "n": {"low": 1, "high": 3, "when": {"k": 1}}})),
        )
