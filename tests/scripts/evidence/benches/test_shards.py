"""Shards beside memory: both give as many rows."""

import pytest

from scripts.evidence.benches import shards


def test_shards_and_memory_give_as_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHAPE", (3, 4, 4))
    rows = shards.measure(1, 1, lambda line: None, rows=1024)
    assert [r["side"] for r in rows] == ["in memory", "cold", "ours"] and {r["samples"] for r in rows} == {14 * 64}
