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


@pytest.mark.realdata
def test_characters_are_those_of_the_words() -> None:
    data = PTB(vocab_size=52, tokenizer="char", partition="sequential", batch_size=20)
    data.setup("fit")
    assert [len(data.corpus[name]) for name in ("train", "val", "test")] == [5_101_618, 399_782, 449_945]
    assert data.unknown_bits["test"] == 0 and data.characters_per_token["test"] == 1
