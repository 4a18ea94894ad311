"""`dive profile`: the shares of a step add up, operators are named, a trace is left and no run is."""

import json
from pathlib import Path

import pytest
import torch

from scripts.cli import main
from scripts.front.runs import runs_root
from scripts.verbs.profile import Timings, share_lines, shares

FEW = ["--trainer.accelerator", "cpu", "--data.batch_size", "8", "--steps", "3"]


def test_shares_are_of_lightnings_actions_and_the_closure_is_not_counted_twice() -> None:
    found = shares(
        {
            "run_training_batch": [1.0, 1.0],
            "[_TrainingEpochLoop].train_dataloader_next": [0.1, 0.1],
            "[Strategy]SingleDeviceStrategy.batch_to_device": [0.05],
            "[LightningModule]LitLeNet.optimizer_step": [0.9, 0.9],
            "[Strategy]SingleDeviceStrategy.training_step": [0.3, 0.3],
            "[LightningModule]LitLeNet.on_train_batch_start": [9.0],
            "[Strategy]SingleDeviceStrategy.backward": [0.5, 0.5],
            "[Callback]FiniteLoss.on_train_batch_end": [0.2],
        }
    )
    expected = {"loading": 0.25, "forward": 0.6, "backward": 1.0, "optimizer": 0.2, "callbacks and logging": 0.2}
    assert found == pytest.approx(expected | {"the rest": 0.2})
    lines = share_lines(found, steps=2)
    assert "1225.00 ms" in lines[0] and "300.00 ms" in lines[2] and "24 %" in lines[2]


def test_a_recipe_is_profiled_and_leaves_a_trace_but_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "cnn/lenet", *FEW]) == 0
    out = capsys.readouterr().out
    assert "backward" in out and "aten::" in out and "3 steps; trace: " in out
    trace = Path(out.rsplit("trace: ", 1)[1].strip())
    assert any("aten::" in event.get("name", "") for event in json.loads(trace.read_text())["traceEvents"])
    assert not (runs_root() / "cnn").exists()


def test_what_is_missing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile"]) == 2
    assert main(["profile", "cnn/lenet", "--steps", "0"]) == 2
    assert "which recipe?" in capsys.readouterr().err


def test_an_action_ends_when_the_gpu_has_done_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waits.append("for the GPU"))
    timings = Timings()
    for used in (False, True):
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda used=used: used)
        with timings.profile("an action"):
            waits.append("action")
    assert waits == ["action", "for the GPU", "action", "for the GPU"]
    assert len(timings.recorded_durations["an action"]) == 2
