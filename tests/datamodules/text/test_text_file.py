"""A user's own text."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.text_file import TextFile


def test_a_text_is_split_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"this is line {i}\n" for i in range(200)))
    data = TextFile(path=str(path), vocab_size=64, seq_len=16)
    data.setup("fit")
    assert data.tokenizer is not None
    assert data.tokenizer.decode(data.corpus["train"][:15].tolist()) == "this is line 0\n"
    assert data.tokenizer.decode(data.corpus["test"][-17:].tolist()) == "this is line 199\n"


@pytest.mark.parametrize(("content", "message"), [("", "is empty"), ("x", "tokens, but needs"), ("short", "needs 17")])
def test_a_file_that_is_too_short_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        TextFile(path=str(path), vocab_size=64, seq_len=16).setup("fit")
    assert str(path) in str(caught.value)
