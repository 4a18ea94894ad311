"""The Time Machine as the book reads it."""

import pytest

from common.messages import UserError
from datamodules.text.time_machine import TimeMachine


@pytest.mark.realdata
def test_the_books_counts() -> None:
    data = TimeMachine()
    texts = TimeMachine(train_windows=0).texts()
    assert sum(map(len, texts.values())) == 173_428
    data.setup("fit")
    assert data.tokenizer is not None and len(data.tokenizer) == 28
    assert not any(token.startswith("<unused") for token in data.tokenizer.tokens)


@pytest.mark.realdata
def test_the_books_windows_do_not_overlap_between_parts() -> None:
    data = TimeMachine(stride=1, batch_size=1024)
    parts = data.texts()
    assert [len(parts[name]) for name in ("train", "val", "test")] == [10_032, 5032, 5032]
    data.setup("fit")
    assert sum(len(batch[0]) for batch in data.train_dataloader()) == 10_000


def test_windows_count_characters_alone() -> None:
    with pytest.raises(UserError, match="train_windows"):
        TimeMachine(tokenizer="bpe", vocab_size=300)
