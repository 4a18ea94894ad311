"""Multi30k's published splits."""

import pytest

from datamodules.parallel_text.multi30k import Multi30k


@pytest.mark.realdata
def test_the_published_splits() -> None:
    splits = Multi30k(source="en", target="fr").pairs()
    assert [len(splits[name]) for name in ("train", "val", "test")] == [29_000, 1014, 1000]
    assert splits["test"][0][0].startswith("A man in an orange hat")
