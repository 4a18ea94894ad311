"""Penn Treebank's own counts."""

import pytest

from datamodules.text.ptb import PTB


@pytest.mark.realdata
def test_the_published_counts() -> None:
    data = PTB(partition="sequential", batch_size=20)
    data.setup("fit")
    assert [len(data.corpus[name]) for name in ("train", "val", "test")] == [929_589, 73_760, 82_430]
    assert data.tokenizer is not None and "\n" in data.tokenizer.tokens
    assert not any(token.startswith("<unused") for token in data.tokenizer.tokens)
