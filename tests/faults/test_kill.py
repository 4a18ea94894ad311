"""kill -9 at a random moment, and the resumed run ends bit for bit as the one that was never interrupted."""

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runs import check_equal, launch, load, rows, run, same, until
from tests.faults.training import EPOCHS, STEPS
from tests.warm import FORKS, wait

#: Twenty in `make test-all`, one of them in `make test`.
MOMENTS = [pytest.param(k, marks=[pytest.mark.slow] if k >= 1 else []) for k in range(20)]


def killed(folder: Path, moment: int, world: int = 1, **settings: Any) -> int:
    """Begins a run and kills all its processes at a moment that ``moment`` draws; returns the step it was at."""
    draw = random.Random(moment)
    step = draw.randrange(3, STEPS)
    here, there = FORKS.Pipe(duplex=False)
    processes = launch(folder, world, pipe=there, stay=True, **settings)
    there.close()
    at = until(here, step, folder)
    time.sleep(draw.uniform(0.0, 0.02))  # somewhere in the step, in a save or in the validation after it
    for process in processes:
        process.kill()
    assert wait(*processes) == [-signal.SIGKILL] * world
    while here.poll():
        try:
            at = here.recv()
        except EOFError:
            break
    return at


def test_the_uninterrupted_run_has_what_a_resume_could_lose(whole: dict[int, Path]) -> None:
    last = load(whole[1], "last")
    stopping = next(state for key, state in last["callbacks"].items() if "EarlyStopping" in key)
    assert last["global_step"] == STEPS and stopping["wait_count"] == 2
    assert not same(last["state_dict"], last["current_model_state"]), "the average is the weights"
    assert len(rows(whole[1])) == STEPS // 5 + 3 and "train/loss" in rows(whole[1])[-1]
    assert not same(last["state_dict"], load(whole[2], "last")["state_dict"]), "two processes draw as one does"
    assert not same(*load(whole[2], "last")["random_state"]), "both ranks draw the same"


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_ends_as_one_that_was_not(moment: int, world: int, whole: dict[int, Path], tmp_path: Path) -> None:
    at = killed(tmp_path, moment, world)
    saved = load(tmp_path, "last")["global_step"]
    assert saved > 0 and at - saved <= 3, "resumed from the beginning, or from too far back"
    run(tmp_path, world, resume=True)
    check_equal(whole[world], tmp_path)


@pytest.mark.slow
def test_the_best_of_a_validation_inside_of_an_epoch_survives_a_kill(tmp_path: Path) -> None:
    whole, other = tmp_path / "whole", tmp_path / "killed"
    run(whole, interval=0.25)
    killed(other, 2, interval=0.25)
    run(other, resume=True, interval=0.25)
    check_equal(whole, other)
    assert load(whole, "best")["global_step"] % (STEPS // EPOCHS), "the best is that of an epoch's end"


#: (when, number of the save); the later save is slow.
SAVES = [("within", 4), ("after", 4), *(pytest.param(when, 9, marks=pytest.mark.slow) for when in ("within", "after"))]


@pytest.mark.parametrize(("when", "count"), SAVES)
def test_a_kill_in_or_after_a_save_costs_nothing(when: str, count: int, whole: dict[int, Path], tmp_path: Path) -> None:
    (process,) = launch(tmp_path, kill_save=(when, count))
    assert wait(process) == [-signal.SIGKILL]
    run(tmp_path, resume=True)
    check_equal(whole[1], tmp_path)


@pytest.mark.parametrize("what", ["RandomState", "loader"])
def test_without_random_state_or_loaders_place_it_ends_elsewhere(
    what: str, whole: dict[int, Path], tmp_path: Path
) -> None:
    killed(tmp_path, 1, without=what)
    run(tmp_path, resume=True, without=what)
    one, other = (load(folder, "last")["state_dict"] for folder in (whole[1], tmp_path))
    assert not same(one, other)
