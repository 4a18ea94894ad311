"""A prepared trainer has shorter steps and clips in bfloat16."""

import os
from functools import partial
from pathlib import Path

import pytest
import torch

from callbacks.device_search import VARIABLE
from callbacks.empty_hooks import NoProfiler
from callbacks.prepared_trainer import prepare
from tests.small import Points, SmallNet, small_trainer


def test_a_prepared_trainer_has_all_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    trainer = small_trainer(tmp_path, precision="bf16-mixed", gradient_clip_val=1.0)
    prepare(trainer)
    assert type(trainer.profiler) is NoProfiler  # type: ignore[attr-defined]
    assert os.environ[VARIABLE] == ("1" if torch.cuda.is_available() else "0")
    trainer.fit(SmallNet(optimizer=partial(torch.optim.Adam, lr=0.1, fused=True)), datamodule=Points())
