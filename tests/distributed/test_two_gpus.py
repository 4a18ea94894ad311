"""AlexNet divided between two processes equals the grouped network of one, and their checkpoints are the same kind."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.distributed.group import together
from tests.distributed.towers import FULL, SMALL, compare
from tests.warm import dive, free_port, lines, start, start_ranks, wait

RECIPE = "parallel/alexnet_two_gpus"
FIT = [
    *("fit", RECIPE, "--trainer.accelerator", "cpu", "--data.train_size", "128", "--data.val_size", "21"),
    *("--data.test_size", "11", "--data.flip", "false", "--trainer.max_epochs", "2", "--model.optimizer.lr", "0.0005"),
    *("--model.lr_scheduler", "null"),  # its length would differ
]
TWO = ["--trainer.devices", "2", "--data.batch_size", "16"]
ONE = ["--data.batch_size", "32"]


def test_twenty_steps_in_double_precision_are_those_of_one_process(tmp_path: Path) -> None:
    for found in together(compare, SMALL, torch.float64, 4, 20, folder=tmp_path):
        assert max(found["logits"], found["gradients"], found["weights"]) < 1e-10, found


def test_a_backward_pass_that_averages_is_seen(tmp_path: Path) -> None:
    for found in together(averaging, folder=tmp_path):
        assert found["gradients"] > 0.1


def averaging() -> dict[str, Any]:
    """The same comparison where the gradient of what was gathered is averaged, as DDP would."""
    from lit_models.parallel import meeting

    summed = meeting.sum_of_pieces
    meeting.sum_of_pieces = lambda pieces: summed(pieces) / 2
    return compare(SMALL, torch.float64, 4, 1)


@pytest.mark.slow
def test_at_full_width_one_step_is_that_of_one_process(tmp_path: Path) -> None:
    (found, _) = together(compare, FULL, torch.float32, 2, 1, folder=tmp_path)
    assert found["whole"] == 60_965_224
    assert found["tower"] == (60_965_224 + 1000) // 2  # both have the last layer's bias
    assert max(found["logits"], found["gradients"], found["weights"]) < 1e-4, found


# -- whole runs -----------------------------------------------------------------------------------------------------


def run(folder: Path, processes: int, *words: str) -> dict[str, Any]:
    """Trains (or continues) in a run's folder; returns its last checkpoint."""
    path = folder / "runs" / RECIPE / "1"
    path.mkdir(parents=True, exist_ok=True)
    env: dict[str, str | None] = {"DIVE_RUNS": str(folder / "runs"), "DIVE_RUN_DIR": str(path)}
    words = (*FIT, *(TWO if processes == 2 else [*ONE, "--trainer.devices", "1"]), *words)
    if processes == 1:
        ranks = [start(dive, *words, log=folder / "rank0.log", env=env)]
    else:
        ranks = start_ranks(dive, *words, world=processes, folder=folder, env=env)
    assert wait(*ranks) == [0] * processes, "\n".join(p.read_text()[-2000:] for p in folder.glob("rank*.log"))
    return torch.load(path / "checkpoints/last.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[Path, dict[str, Any]]]:
    """A run of two epochs in one process or two, each made once."""
    known: dict[int, tuple[Path, dict[str, Any]]] = {}

    def get(processes: int) -> tuple[Path, dict[str, Any]]:
        if processes not in known:
            folder = tmp_path_factory.mktemp(f"processes{processes}")
            known[processes] = folder, run(folder, processes)
        return known[processes]

    return get


def furthest(a: dict[str, Any], b: dict[str, Any]) -> float:
    assert a["state_dict"].keys() == b["state_dict"].keys()
    return max(float((a["state_dict"][k] - v).abs().max()) for k, v in b["state_dict"].items())


def test_a_run_of_two_processes_ends_where_that_of_one_does(trained: Any) -> None:
    (one, a), (two, b) = trained(1), trained(2)
    assert furthest(a, b) < 1e-4
    metrics = [json.loads((f / "runs" / RECIPE / "1/run.json").read_text())["metrics"] for f in (one, two)]
    for name in ("train/loss", "val/loss", "val/acc"):
        assert metrics[0][name] == pytest.approx(metrics[1][name], abs=1e-3)
    assert (two / "runs" / RECIPE / "1/placement.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(1, 2), pytest.param(2, 1, marks=pytest.mark.slow)])
def test_a_checkpoint_of_either_kind_continues_in_the_other(
    first: int, second: int, trained: Any, tmp_path: Path
) -> None:
    """With the optimizer's state, which has the shapes of the weights."""
    folder = tmp_path / "changed"
    shutil.copytree(trained(first)[0], folder)
    changed = run(folder, second, "--resume", "--trainer.max_epochs", "3")
    shutil.copytree(trained(first)[0], tmp_path / "same")
    same = run(tmp_path / "same", first, "--resume", "--trainer.max_epochs", "3")
    assert changed["epoch"] == same["epoch"] == 2
    assert furthest(changed, same) < 1e-4
    moments = [checkpoint["optimizer_states"][0]["state"] for checkpoint in (changed, same)]
    assert all(a["exp_avg"].shape == b["exp_avg"].shape for a, b in zip(*(m.values() for m in moments), strict=True))


def test_three_processes_are_refused_in_one_line(tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    ranks = start_ranks(dive, *FIT, "--trainer.devices", "3", world=3, folder=tmp_path, env=env)
    assert wait(*ranks, seconds=120)[0] == 2
    assert "AlexNet has two towers, not 3" in lines(tmp_path / "rank0.log")[-1]


@pytest.mark.slow
def test_units_that_two_towers_do_not_divide_are_refused_in_one_line(tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    words = [*FIT, *TWO, "--model.hidden_size", "33"]
    wait(*start_ranks(dive, *words, folder=tmp_path, env=env))
    assert lines(tmp_path / "rank0.log") == [
        "layer 1 has 33 units, which two towers do not divide: an even hidden_size"
    ]


@pytest.mark.slow
def test_a_process_that_never_comes_is_named_in_time(tmp_path: Path) -> None:
    env = {"DIVE_RUNS": str(tmp_path / "runs"), "LOCAL_RANK": "0", "MASTER_PORT": str(free_port())}
    soon = ["-c", "trainer/ddp", "--trainer.strategy.init_args.timeout", "0:00:05"]
    assert wait(start(dive, *FIT, *soon, log=tmp_path / "log", env=env), seconds=120) == [1]  # type: ignore[arg-type]
    assert lines(tmp_path / "log")[-1].startswith("1 of 2 processes came within")
