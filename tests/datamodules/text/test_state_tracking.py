"""State tracking: running sums as targets, and only beyond the trained length in the test."""

import pytest

from common.messages import UserError
from datamodules.text.state_tracking import StateTracking


def test_targets_are_the_sums_so_far_and_the_test_asks_beyond_the_trained_length() -> None:
    data = StateTracking(modulus=5, seq_len=6, train_size=40, val_size=10, test_size=10)
    data.setup("fit")
    for split in ("train", "val", "test"):
        tokens, targets = data.transform(data.splits[split])
        digits = [[int(data.tokenizer.tokens[i]) for i in row] for row in tokens.tolist()]
        asked = range(6, 24) if split == "test" else range(6)
        for row, target in zip(digits, targets.tolist(), strict=True):
            assert len(row) == (24 if split == "test" else 6) and {*row} <= {*range(5)}
            for place, value in enumerate(target):
                right = data.tokenizer.ids[str(sum(row[: place + 1]) % 5)]
                assert value == (right if place in asked else -1)


def test_the_data_do_not_depend_on_the_runs_seed_and_splits_differ() -> None:
    rows = []
    for seed in (0, 0, 1):
        data = StateTracking(train_size=8, val_size=8, test_size=8, data_seed=seed)
        data.setup("fit")
        rows.append({name: tensors[0].tolist() for name, tensors in data.splits.items()})
    assert rows[0] == rows[1] != rows[2] and rows[0]["train"] != rows[0]["val"]


@pytest.mark.parametrize(("name", "value"), [("modulus", 1), ("modulus", 11), ("reach", 1), ("vocab_size", 2)])
def test_sizes_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"data.{name} is {value}"):
        StateTracking(**{name: value})
