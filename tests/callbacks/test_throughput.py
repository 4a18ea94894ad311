"""Samples a second: every batch but the first after a pause counts, validation does not."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback

from callbacks import throughput
from callbacks.throughput import Throughput, batch_rows
from tests.small import Points, SmallNet, small_trainer


def test_rate_is_samples_over_the_time_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 2))  # two seconds between any two looks
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: float(next(clock)))
    counter = Throughput()
    trainer = small_trainer(tmp_path, counter)
    trainer.fit(SmallNet(), datamodule=Points(batch_size=12))
    assert counter.rate == 12 / 2
    assert float(trainer.callback_metrics["time/samples_per_second"]) == 6.0


@pytest.mark.parametrize("batch", [torch.zeros(5, 2), (torch.zeros(5), 1), {"x": torch.zeros(5)}, [(torch.zeros(5),)]])
def test_batch_rows_looks_into_any_batch(batch: object) -> None:
    assert batch_rows(batch) == 5


class SlowValidation(Callback):
    """Moves the clock on by a hundred seconds at each validation."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock

    def on_validation_end(self, *_: object) -> None:
        self.clock[0] += 100


def test_a_validation_within_the_epoch_is_not_training_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def look() -> float:
        clock[0] += 2
        return clock[0]

    monkeypatch.setattr(throughput.time, "perf_counter", look)
    counter = Throughput()
    trainer = small_trainer(tmp_path, counter, SlowValidation(clock), val_check_interval=2, max_epochs=1)
    trainer.fit(SmallNet(), datamodule=Points(batch_size=12))
    assert clock[0] > 200 and counter.rate == 12 / 2
