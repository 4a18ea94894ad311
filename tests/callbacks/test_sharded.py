"""FSDP2 on two CPU processes: half the weights each, the same result, checkpoints that one process can use."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from common.messages import UserError
from lit_models.attention.transformer import Transformer
from lit_models.layers.pretrained import put_weights
from lit_models.layers.weight_files import read_weights
from lit_models.tasks.parent_vocabulary import with_rows
from scripts.front.checkpoints import is_sharded, read_checkpoint, refuse_missing_parts
from tests.distributed.group import together
from tests.distributed.two_processes import train
from tests.faults.runs import same
from tests.warm import dive, lines, start, start_ranks, wait

MLP = "mlp/mlp"
FIT = [
    "fit",
    MLP,
    "--trainer.accelerator",
    "cpu",
    "--trainer.limit_train_batches",
    "6",
    "--trainer.limit_val_batches",
    "1",
]
FSDP = ["-c", "trainer/fsdp"]


def log_of(folder: Path) -> str:
    return "\n".join(path.read_text()[-3000:] for path in sorted(folder.glob("*.log")))


def test_two_processes_end_with_the_weights_metrics_and_predictions_of_one(tmp_path: Path) -> None:
    """Also where one process has more evaluation batches, through which the other would have to go along."""
    for name, world, kind in (("one", 1, "ddp"), ("two", 2, "sharded")):
        folder = tmp_path / name
        assert wait(*start_ranks(partial(train, folder, world, kind), world=world, folder=folder)) == [0] * world
    assert is_sharded(tmp_path / "two/last.ckpt")
    one, two = (read_checkpoint(tmp_path / name / "last.ckpt")["state_dict"] for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-10
    metrics = [json.loads((tmp_path / name / "out.json").read_text())["metrics"] for name in ("one", "two")]
    for name in ("train/loss", "val/loss", "val/acc", "test/loss", "test/acc"):
        assert metrics[0][name] == pytest.approx(metrics[1][name], rel=1e-6)
    tables = [(tmp_path / name / "predictions.csv").read_text() for name in ("one", "two")]
    assert tables[0] == tables[1] and tables[0].count("\n") == 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs: two epochs of the MLP, sharded over two processes."""
    folder = tmp_path_factory.mktemp("sharded")
    fit(folder, "--trainer.max_epochs", "2")
    return folder


def fit(folder: Path, *words: str, resume: bool = False, world: int = 2) -> None:
    run = folder / "runs" / MLP / "1"
    run.mkdir(parents=True, exist_ok=True)
    env: dict[str, str | None] = {"DIVE_RUNS": str(folder / "runs"), "DIVE_RUN_DIR": str(run)}
    goes_on = ["--resume"] if resume else []
    ranks = start_ranks(dive, *FIT, *FSDP, *goes_on, *words, world=world, folder=folder, env=env)
    assert wait(*ranks) == [0] * world, log_of(folder)


def test_a_checkpoint_is_a_folder_with_a_file_of_each_process(trained: Path) -> None:
    last = trained / "runs" / MLP / "1/checkpoints/last.ckpt"
    names = {path.name for path in last.iterdir()}
    assert {"meta.pt", ".metadata", "__0_0.distcp", "__1_0.distcp"} == names
    kept = [path for path in last.parent.iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(kept) == 2, "the shards of older saves stay"


@pytest.mark.slow
def test_a_sharded_run_resumes(trained: Path, tmp_path: Path) -> None:
    fit(tmp_path, "--trainer.max_epochs", "1")
    fit(tmp_path, "--trainer.max_epochs", "2", resume=True)
    whole, resumed = (
        read_checkpoint(folder / "runs" / MLP / "1/checkpoints/last.ckpt")["state_dict"]
        for folder in (trained, tmp_path)
    )
    assert same(whole, resumed)


@pytest.mark.slow
def test_a_sharded_run_resumes_on_another_number_of_processes(trained: Path, tmp_path: Path) -> None:
    fit(tmp_path, "--trainer.max_epochs", "1")
    halves = ["--trainer.devices", "4", "--data.batch_size", "16"]  # of twice the processes
    fit(tmp_path, "--trainer.max_epochs", "2", *halves, resume=True, world=4)
    whole, resumed = (
        read_checkpoint(folder / "runs" / MLP / "1/checkpoints/last.ckpt")["state_dict"]
        for folder in (trained, tmp_path)
    )
    assert max(float((whole[name] - resumed[name]).abs().max()) for name in whole) < 1e-4


def test_a_part_that_is_missing_is_named(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "runs", tmp_path / "runs", symlinks=True)
    (tmp_path / "runs" / MLP / "1/checkpoints/last.ckpt/__1_0.distcp").unlink()
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    words = [*FIT, *FSDP, "--resume", "--trainer.max_epochs", "3"]
    assert wait(start(dive, *words, log=tmp_path / "log", env=env), seconds=60) == [2]
    (line,) = lines(tmp_path / "log")
    assert "last.ckpt has lost __1_0.distcp: each process wrote a file" in line


def test_a_part_that_was_not_copied_whole_is_named(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    shutil.copytree(trained / "runs" / MLP / "1/checkpoints/last.ckpt", path)
    refuse_missing_parts(path)
    os.truncate(path / "__0_0.distcp", (path / "__0_0.distcp").stat().st_size - 200)
    with pytest.raises(UserError, match=r"damaged: __0_0\.distcp is cut off"):
        refuse_missing_parts(path)


@pytest.mark.slow
def test_one_process_tests_the_exported_file(trained: Path, tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(trained / "runs")}
    alone = ["-c", "trainer/cpu"]
    assert wait(start(dive, "test", MLP, *alone, log=tmp_path / "0.log", env=env)) == [2]
    (line,) = lines(tmp_path / "0.log")
    assert "best.ckpt is sharded" in line and "dive export mlp/mlp" in line
    assert wait(start(dive, "export", MLP, log=tmp_path / "1.log", env=env)) == [0], log_of(tmp_path)
    whole = trained / "runs" / MLP / "1/export/model.ckpt"
    words = ["test", MLP, *alone, "--ckpt_path", str(whole)]
    assert wait(start(dive, *words, log=tmp_path / "2.log", env=env)) == [0], log_of(tmp_path)
    assert "test/acc" in (tmp_path / "2.log").read_text()


def starts_from(weights: str, rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """A transformer that two processes divide takes weights; its own are random, and each process has the same."""
    torch.manual_seed(7)
    net = Transformer(12, 12, 16, num_layers=1)
    if dist.is_initialized():
        fully_shard(net, mesh=init_device_mesh("cpu", (2,)))
    found = with_rows(net.state_dict(), read_weights(weights).tensors, rows) if rows else read_weights(weights).tensors
    put_weights(net, found, weights)
    state = net.state_dict()
    assert not dist.is_initialized() or isinstance(state["head.weight"], DTensor)
    return {name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in state.items()}


def test_a_divided_network_starts_from_weights_as_a_whole_one_does(tmp_path: Path) -> None:
    torch.manual_seed(3)
    parent = Transformer(12, 12, 16, num_layers=1).state_dict()
    torch.save(parent, tmp_path / "parent.pt")
    others = torch.tensor([0, 1, 2, 3, -1, 11, 10, 9, 8, -1, 6, 5])  # another vocabulary, two tokens are new
    for rows in ({}, {"source": others, "target": others}):
        alone = starts_from(str(tmp_path / "parent.pt"), rows)
        for each in together(starts_from, str(tmp_path / "parent.pt"), rows, folder=tmp_path / f"{len(rows)}"):
            assert same(each, alone)
        assert same(alone, parent) is not bool(rows)
