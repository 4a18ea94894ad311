"""Two processes beside one: which cases are measured, and that each loop trains."""

from dataclasses import replace

import pytest

from scripts.evidence.benches import ddp


def test_two_processes_of_more_threads_than_there_are_cores_are_left_out() -> None:
    lines: list[str] = []
    assert ddp.measure(4096, 1, lines.append) == [] and "need 8192 cores" in lines[0]


def test_batches_of_an_accumulated_step_are_whole_steps() -> None:
    assert all(c.steps % c.accumulate == c.warmup % c.accumulate == 0 for c in ddp.CASES)


@pytest.mark.slow
def test_two_processes_train_beside_one_with_each_loop() -> None:
    cases = (replace(ddp.CASES[3], steps=4, warmup=2), replace(ddp.CASES[2], steps=4, warmup=4))
    rows = ddp.measure(1, 1, lambda line: None, cases)
    assert [(r["workload"], r["side"]) for r in rows] == [(c.name, side) for c in cases for side in ddp.SIDES]
    assert all(len(r["rates"]) == 1 and r["rates"][0] > 0 for r in rows)
    assert [r["samples"] for r in rows] == [4 * 128, 8 * 128, 8 * 128, 4 * 32, 8 * 32, 8 * 32]
