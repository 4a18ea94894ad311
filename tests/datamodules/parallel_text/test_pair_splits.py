"""Pairs in splits."""

import pytest

from common.messages import UserError
from datamodules.parallel_text.pair_splits import random_splits


def test_splits_share_no_source() -> None:
    pairs = [(str(i % 50), str(i)) for i in range(100)]
    splits = random_splits(pairs, 10, 10)
    sources = [{source for source, _ in splits[name]} for name in ("train", "val", "test")]
    assert [len(s) for s in sources] == [30, 10, 10] and not (sources[0] & sources[1] | sources[0] & sources[2])
    assert len(splits["train"]) == 60 and splits == random_splits(pairs, 10, 10)
    with pytest.raises(UserError, match="too few"):
        random_splits(pairs, 25, 25)
