"""Data-parallel convolutions with model-parallel dense layers equal one process on all rows, in each scheme."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.distributed.group import together
from tests.distributed.weird_trick import compare
from tests.warm import dive, lines, start, start_ranks, wait

RECIPE = "parallel/one_weird_trick"
FIT = [
    *("fit", RECIPE, "--trainer.accelerator", "cpu", "--data.train_size", "96", "--data.val_size", "21"),
    *("--data.test_size", "11", "--data.flip", "false", "--trainer.max_epochs", "2", "--model.optimizer.lr", "0.0005"),
]


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("scheme", ["at_once", "in_turns", "slices"])
def test_each_scheme_is_one_process_on_the_global_batch(scheme: str, world: int, tmp_path: Path) -> None:
    found = together(compare, scheme, world=world, folder=tmp_path)
    for result in found:
        assert max(result["loss"], result["gradients"], result["weights"]) < 1e-10, result
    if scheme != "in_turns":
        assert all(result["sent"] == result["formula"] for result in found)
    else:  # as many bytes in all, in other turns: for each a step forward and back
        at_once = together(compare, "at_once", 1, world=world, folder=tmp_path / "again")
        assert sum(r["sent"] for r in found) == sum(r["sent"] for r in at_once)
    assert found[0]["steps"] > (0 if scheme == "at_once" else 3 * world)


def test_activities_that_are_not_scaled_are_seen(tmp_path: Path) -> None:
    """DDP takes the mean of the processes' gradients, whose sum is wanted."""
    (found, _) = together(unscaled, folder=tmp_path)
    assert found["gradients"] > 0.1


def unscaled() -> dict[str, Any]:
    from lit_models.parallel import one_weird_trick

    one_weird_trick.scale_gradient = lambda x, factor: x
    return compare("at_once", 1)


def checkpoint_of(folder: Path, processes: int, *words: str) -> dict[str, Any]:
    path = folder / "runs" / RECIPE / "1"
    path.mkdir(parents=True)
    env: dict[str, str | None] = {"DIVE_RUNS": str(folder / "runs"), "DIVE_RUN_DIR": str(path)}
    words = (*FIT, *words, "--trainer.devices", str(processes), "--data.batch_size", str(24 // processes))
    if processes == 1:
        ranks = [start(dive, *words, log=folder / "rank0.log", env=env)]
    else:
        ranks = start_ranks(dive, *words, world=processes, folder=folder, env=env)
    assert wait(*ranks) == [0] * processes, "\n".join(p.read_text()[-2000:] for p in folder.glob("rank*.log"))
    return torch.load(path / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
def test_a_run_of_two_processes_under_ddp_ends_where_that_of_one_does(tmp_path: Path) -> None:
    clip = ["--trainer.gradient_clip_val", "0.5"]  # by the norm over both
    one = checkpoint_of(tmp_path / "one", 1, *clip)
    two = checkpoint_of(tmp_path / "two", 2, *clip)
    assert one.keys() == two.keys()
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 2e-4


def test_units_that_the_processes_do_not_divide_are_refused_in_one_line(tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    words = [*FIT, "--trainer.devices", "2", "--model.hidden_size", "33"]
    assert wait(*start_ranks(dive, *words, folder=tmp_path, env=env))[0] == 2
    assert lines(tmp_path / "rank0.log") == ["2 processes do not divide 33 units: another --model.hidden_size"]
