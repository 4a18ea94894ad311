"""Toy tasks have one correct target, and the test's sequences are new."""

from typing import Any

import pytest

from common.messages import UserError
from datamodules.parallel_text.toy import Toy

SMALL: dict[str, Any] = {"train_size": 50, "val_size": 10, "test_size": 10}


@pytest.mark.parametrize("task", ["copy", "reverse", "sort", "add"])
def test_targets_are_right_and_splits_share_nothing(task: Any) -> None:
    data = Toy(task, longest=6, **SMALL)
    splits = data.pairs()
    assert [len(splits[name]) for name in ("train", "val", "test")] == [50, 10, 10]
    rows = [pair for split in splits.values() for pair in split]
    assert len({source for source, _ in rows}) == 70
    for source, target in rows:
        if task == "add":
            assert int(target) == sum(map(int, source.split("+")))
        else:
            letters = source.split()
            expected = {"copy": letters, "reverse": letters[::-1], "sort": sorted(letters)}[task]
            assert target.split() == expected


@pytest.mark.parametrize("task", ["sort", "add"])
def test_everything_is_known_and_fits(task: Any) -> None:
    data = Toy(task, longest=6, **SMALL)
    data.setup("fit")
    assert data.decode_target(data.splits["test"][3]) == data.references["test"]
    assert int(data.splits["train"][1].max()) <= data.max_length


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UserError, match="at least 22"):
        Toy("add", longest=10)
    with pytest.raises(UserError, match="fewer than 70 different"):
        Toy("copy", symbols=2, longest=3, min_length=1, **SMALL).pairs()
