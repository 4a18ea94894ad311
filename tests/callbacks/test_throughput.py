"""Samples a second: every batch but the first after a pause counts, validation does not."""

from pathlib import Path

import pytest
import torch

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
