"""Given names: each one once, so that no test name is in training."""

from pathlib import Path

import pytest
import torch

from datamodules.text.names import Names


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A file of 400 names, of which 100 are there twice."""
    names = [f"{first}{middle}{last}" for first in "bdklmnrst" for middle in "aeiou" for last in "dklmnrstx"][:400]
    (tmp_path / "names").mkdir()
    (tmp_path / "names/names.txt").write_text("\n".join(names + names[:100]) + "\n")
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    return names


def test_each_name_is_in_one_part_once_and_the_order_is_random_but_fixed(file: list[str]) -> None:
    parts = {part: text.splitlines() for part, text in Names().texts().items()}
    assert [len(parts[name]) for name in ("train", "val", "test")] == [320, 40, 40]
    assert sorted(name for own in parts.values() for name in own) == sorted(file)
    assert parts["train"] != sorted(parts["train"]) and Names().texts()["train"].splitlines() == parts["train"]


def test_the_tokens_are_the_text(file: list[str]) -> None:
    data = Names(seq_len=16, batch_size=4, partition="sequential")
    data.setup("fit")
    assert data.tokenizer is not None and len(data.tokenizer) == 28
    assert data.tokenizer.decode(data.corpus["train"].tolist()) == data.texts()["train"]
    tokens, targets = data.splits["val"]
    assert tokens.shape == targets.shape and tokens.shape[1] == 16 and torch.equal(tokens[:-1, 1:], targets[:-1, :-1])


@pytest.mark.realdata
def test_the_published_file() -> None:
    data = Names()
    data.setup("fit")
    assert sum(text.count("\n") for text in data.texts().values()) == 29_494
    assert data.tokenizer is not None and not any(token.startswith("<unused") for token in data.tokenizer.tokens)
