"""The bench of batches of like lengths: the same texts, at widths of their own."""

import pytest

from scripts.evidence.benches import buckets


def test_all_sides_fine_tune_on_the_same_texts_at_their_own_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(buckets, "SIZES", ["--model.hidden_size", "16", "--model.num_layers", "1"])
    monkeypatch.setattr(buckets, "BATCH", 8)
    monkeypatch.setattr(buckets, "WIDTH", 16)
    rows = buckets.measure(1, 1, lambda line: None, steps=2)
    assert [row["side"] for row in rows] == ["ours", "longest of the batch", "fixed", "ours", "transformers"]
    assert [row["samples"] for row in rows] == [16, 16, 16, 8, 8]
    x, _ = buckets.reviews()
    assert buckets.Reviews(fixed=True).transform((x[5:9],))[0].shape == (4, 80)
    assert 25 < (x != 0).sum(1).float().mean() < 30 and (x != 0).sum(1).max() == 80
