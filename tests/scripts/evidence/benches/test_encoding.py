"""Byte pairs: both sides encode the same ids."""

from scripts.evidence.benches import encoding


def test_both_sides_encode_the_same_ids() -> None:
    rows = encoding.measure(1, 1, lambda line: None)  # raises where they differ
    assert [row["side"] for row in rows] == ["ours", "tokenizers"] and all(row["rates"][0] > 0 for row in rows)
