"""run.json: settings, results and status of a run."""

import json
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor

from callbacks.run_record import RunRecord
from callbacks.throughput import Throughput
from tests.small import Points, SmallNet, small_trainer


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def test_a_finished_run_says_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = small_trainer(tmp_path, Throughput(), RunRecord(recipe="a/b"))
    trainer.fit(SmallNet(), datamodule=Points())
    facts = record(tmp_path)
    assert facts["recipe"] == "a/b" and facts["status"] == "finished" and facts["step"] == 8
    assert facts["parameters"] == 2 * 8 + 8 + 8 * 3 + 3
    assert set(facts["versions"]) == {"python", "torch", "lightning"}
    assert {"train/loss", "val/acc", "val/loss"} <= set(facts["metrics"])
    assert json.loads((tmp_path / "processor.json").read_text()) == {"class_names": ["left", "right", "top"]}
    assert "val/acc" in capsys.readouterr().out


class Fails(SmallNet):
    error: type[BaseException] = RuntimeError

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        raise self.error


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, "failed"), (SystemExit, "stopped")])
def test_a_run_that_ends_early_says_how(error: type[BaseException], status: str, tmp_path: Path) -> None:
    model = Fails()
    model.error = error
    with pytest.raises(error):
        small_trainer(tmp_path, RunRecord()).fit(model, datamodule=Points())
    assert record(tmp_path)["status"] == status


def test_a_test_adds_its_metrics_to_the_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = small_trainer(tmp_path, RunRecord())
    trainer.fit(SmallNet(), datamodule=Points())
    trainer.test(SmallNet(), datamodule=Points(), verbose=False)
    facts = record(tmp_path)
    assert {"val/acc", "test/acc"} <= set(facts["metrics"]) and facts["status"] == "finished"
    assert "(11 rows)" in capsys.readouterr().out


@pytest.mark.parametrize(("interval", "says"), [(3, True), (2, False)])
def test_a_validation_of_earlier_weights_is_said_to_be_one(
    interval: int, says: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_trainer(tmp_path, RunRecord(), val_check_interval=interval).fit(SmallNet(), datamodule=Points())
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "val/loss" in line)
    assert line.endswith("(validated at step 7)") is says


class Steps(Logger):
    """Remembers at which step each metric came."""

    name, version = "steps", ""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, int | None] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.at |= dict.fromkeys(metrics, step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass


def test_the_metrics_of_a_test_belong_to_the_step_of_its_weights(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, RunRecord())
    trainer.fit(SmallNet(), datamodule=Points())
    trainer.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    logger = Steps()
    tester = small_trainer(tmp_path, RunRecord(), logger=logger)
    tester.test(SmallNet(), datamodule=Points(), ckpt_path=tmp_path / "last.ckpt", verbose=False)
    assert logger.at["test/acc"] == 8
