"""A run that was cut off and resumed ends bit for bit as one that never was; and what that takes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint

from callbacks.metrics_csv import MetricsCSV, read_metrics
from callbacks.random_state import RandomState
from callbacks.run_record import RunRecord
from datamodules.base import TensorLoader
from tests.small import Points, SmallNet, small_trainer


class Cut(Exception):
    """The end of the process, as far as one process can show it: nothing more is saved."""


class CutAt(Callback):
    """Ends the run just before optimizer step ``step``."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            raise Cut


def fit(folder: Path, *extra: Callback, resume: bool = False, without: str = "", **settings: Any) -> SmallNet:
    """Five epochs of four batches with dropout, augmentation and a save every third step."""
    torch.manual_seed(1)
    model = SmallNet()
    callbacks: list[Callback] = [ModelCheckpoint(folder, save_last=True, save_top_k=0, every_n_train_steps=3)]
    callbacks += [c for c in (RandomState(), RunRecord()) if type(c).__name__ != without]
    trainer = small_trainer(
        folder, *callbacks, *extra, max_epochs=5, enable_checkpointing=True, logger=MetricsCSV(str(folder)), **settings
    )
    trainer.fit(model, datamodule=Points(), ckpt_path=folder / "last.ckpt" if resume else None)
    return model


def cut_and_resume(folder: Path, step: int, **settings: Any) -> SmallNet:
    with pytest.raises(Cut):
        fit(folder, CutAt(step), **settings)
    saved = torch.load(folder / "last.ckpt", weights_only=True)["global_step"]
    assert 0 < saved <= step and step - saved <= 3, "resumed from the beginning, or from too far back"
    torch.manual_seed(99)  # whatever state the new process begins with
    return fit(folder, resume=True, **settings)


def weights(model: SmallNet) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("step", [4, 7, 11, 14, 18])
def test_a_resumed_run_ends_bit_identical(step: int, tmp_path: Path) -> None:
    whole, resumed = fit(tmp_path / "whole"), cut_and_resume(tmp_path / "cut", step)
    assert torch.equal(weights(whole), weights(resumed))


def test_its_metrics_are_the_same_rows(tmp_path: Path) -> None:
    fit(tmp_path / "whole")
    cut_and_resume(tmp_path / "cut", 11)
    assert read_metrics(tmp_path / "whole/metrics.csv") == read_metrics(tmp_path / "cut/metrics.csv")


def test_with_accumulation_and_weight_averaging_too(tmp_path: Path) -> None:
    settings = {"accumulate_grad_batches": 2}
    whole = fit(tmp_path / "whole", EMAWeightAveraging(decay=0.9), **settings)
    with pytest.raises(Cut):
        fit(tmp_path / "cut", EMAWeightAveraging(decay=0.9), CutAt(7), **settings)
    resumed = fit(tmp_path / "cut", EMAWeightAveraging(decay=0.9), resume=True, **settings)
    assert torch.equal(weights(whole), weights(resumed))


def test_without_the_random_state_it_ends_elsewhere(tmp_path: Path) -> None:
    whole, resumed = fit(tmp_path / "whole"), cut_and_resume(tmp_path / "cut", 11, without="RandomState")
    assert not torch.equal(weights(whole), weights(resumed))


def test_without_the_loaders_place_it_ends_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(tmp_path / "whole")
    monkeypatch.setattr(TensorLoader, "load_state_dict", lambda self, state: None)
    assert not torch.equal(weights(whole), weights(cut_and_resume(tmp_path / "cut", 11)))
