"""Every preset of configs/trainer is used by a test, or says that it needs a GPU."""

from pathlib import Path

import pytest
import torch

from scripts.cli import main
from scripts.front.recipes import CONFIGS
from scripts.front.runs import newest_run
from tests.distributed.presets import train
from tests.warm import dive, start, start_ranks, wait

LENET = "cnn/lenet"
QUICK = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.max_epochs", "1"]
USED = {
    "cpu": "../callbacks/test_sharded.py",
    "ddp": "test_launchers.py",
    "ddp_find_unused": "test_presets.py",
    "debug": "test_presets.py",
    "bf16": "test_presets.py",
    "fsdp": "../callbacks/test_sharded.py",
    "slurm": "test_slurm.py, through scripts/slurm",
    "gpu": "test_presets.py, where there is a GPU",
}


def test_each_preset_is_used() -> None:
    assert {path.stem for path in (CONFIGS / "trainer").glob("*.yaml")} == set(USED)
    for name, where in USED.items():
        file = Path(__file__).parent / where.split(",")[0]
        assert f"trainer/{name}" in file.read_text() or "scripts/slurm" in where


@pytest.mark.parametrize("preset", ["trainer/debug", "trainer/bf16"])
def test_it_trains(preset: str) -> None:
    assert main(["fit", LENET, "--trainer.accelerator", "cpu", *QUICK, "-c", preset]) == 0
    assert (newest_run(LENET) / "checkpoints/last.ckpt").is_file()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_trains_on_a_gpu() -> None:
    assert main(["fit", LENET, *QUICK, "-c", "trainer/gpu"]) == 0


@pytest.mark.parametrize(("preset", "code"), [("trainer/ddp", 1), ("trainer/ddp_find_unused", 0)])
def test_parameters_without_a_gradient_need_their_own_preset(preset: str, code: int, tmp_path: Path) -> None:
    codes = wait(*start_ranks(train, tmp_path, preset, folder=tmp_path))
    assert codes == [code, code], (tmp_path / "rank0.log").read_text()[-2000:]
    if code:
        assert "parameters that were not used in producing the loss" in (tmp_path / "rank0.log").read_text()


@pytest.mark.slow
def test_bfloat16_reaches_the_same_accuracy(tmp_path: Path) -> None:
    """Within four times the spread of three seeds (RESULTS.md); docs/many_processes.md states the speed."""
    accuracy = []
    for name, words in (("float32", []), ("bf16", ["-c", "trainer/bf16"])):
        env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / name)}
        for verb, more in (("fit", words), ("test", [])):
            assert wait(start(dive, verb, LENET, *more, log=tmp_path / f"{name}.log", env=env), seconds=900) == [0]
        log = (tmp_path / f"{name}.log").read_text()
        accuracy.append(float(log.rsplit("test/acc", 1)[1].split()[0]))
    assert accuracy[1] == pytest.approx(accuracy[0], abs=4 * 0.003)
