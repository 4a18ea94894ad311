"""RWKV: all sides compute the same and are measured."""

import pytest
import torch

from scripts.evidence.benches import rwkv, rwkv_work
from scripts.evidence.benches.page import render
from tests.scripts.evidence.test_bench import fake


@pytest.mark.slow
def test_the_sides_of_rwkv_compute_the_same_and_all_are_measured() -> None:
    work = rwkv_work.Work(64, 2, rows=2, length=20, tokens=4, prompt=9, far=3000, steps=2, warmup=1)
    before = {name: tensor.clone() for name, tensor in rwkv_work.network(4, work).state_dict().items()}
    rows = rwkv.measure(1, 1, lambda line: None, work)
    after = rwkv_work.network(4, work).state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())  # a second pass has the same texts
    sides = {(row["workload"], row["side"]) for row in rows}
    assert {("training, RWKV-4", "transformers"), ("training, RWKV-7", "bare"), ("WKV, RWKV-5.2", "loop")} <= sides
    for version in rwkv_work.NAMES.values():
        for kind, other in (("sixteen texts", "one text"), ("prefill", "token by token"), ("a long text", "early")):
            assert {(f"{kind}, {version}", "ours"), (f"{kind}, {version}", other)} <= sides
        assert (f"generation, {version}", "rwkv package") in sides
    assert all(len(row["rates"]) == 1 and row["rates"][0] > 0 for row in rows)
    page = render(fake(rwkv=rows))
    assert "## RWKV" in page and "WKV, RWKV-4: ours / loop" in page
