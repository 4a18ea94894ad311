"""Python's documentation: short windows in training, long ones in the test."""

import pytest

from common.messages import UserError
from datamodules.text.long_docs import LongDocs


def test_only_the_test_has_long_windows() -> None:
    data = LongDocs(test_len=64, test_tokens=641, vocab_size=112, seq_len=16, batch_size=4)
    data.setup("fit")
    assert data.splits["test"][0].shape == data.splits["predict"][0].shape == (10, 64)
    assert data.splits["val"][0].shape[1] == 16 and next(iter(data.train_dataloader()))[0].shape[1] == 17


def test_shorter_windows_than_in_training_are_refused() -> None:
    with pytest.raises(UserError, match=r"give at least data[.]seq_len, which is 32"):
        LongDocs(test_len=16, seq_len=32)
