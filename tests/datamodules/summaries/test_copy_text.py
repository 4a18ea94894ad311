"""Numbers for words beyond the vocabulary."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.parallel_text.parallel_text import EOS, Pairs
from datamodules.summaries.copy_text import UNKNOWN, CopyText

PAIRS = {
    "train": [("a b a b a Zoë.", "Zoë"), ("b a.", "a b"), ("a. a.", "a")],
    "val": [("a Ana b", "Ana"), ("b", "b")],
    "test": [("Ben and Ana, Ben", "Ben; Carl"), ("a", "a")],
}


class Small(CopyText):
    """Pairs with names that are in no vocabulary: it has a, b and the point."""

    def __init__(self, **copy: Any) -> None:
        super().__init__(**{"source_vocab_size": 7, "target_vocab_size": 7, "max_length": 8, "batch_size": 2} | copy)

    def pairs(self) -> dict[str, Pairs]:
        return {name: list(rows) for name, rows in PAIRS.items()}


def test_a_word_beyond_the_vocabulary_has_one_number_and_a_target_has_it_where_the_source_has_it() -> None:
    data = Small()
    data.setup("fit")
    source, length, target_in, target = data.splits["test"]
    ben, other, ana = source[0, 0], source[0, 1], source[0, 2]
    assert source[0, 4] == ben >= 7 and len({int(ben), int(other), int(ana)}) == 3 and int(length[0]) == 6
    assert target[0, :4].tolist() == [ben, UNKNOWN, UNKNOWN, EOS] and target_in[0, 1] == ben
    assert data.decode_target(target) == ["Ben <unk> <unk>", "a"]
    assert data.references["test"] == ["Ben; Carl", "a"] and data.sources["test"][0] == "Ben and Ana, Ben"
    assert data.source_tokens(source[0, :2].tolist()) == ["Ben", "and"]
    assert data.target_ids("Ben a", data.source_ids("a b"))[0] == UNKNOWN  # it is another document's word


def test_without_copies_such_a_word_is_unknown() -> None:
    data = Small(copies=False)
    data.setup("fit")
    assert int(data.splits["test"][0].max()) < 7 and int(data.splits["test"][3].max()) < 7


def test_a_long_source_is_cut_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    data = Small(longest_source=3)
    data.setup("fit")
    source, length = data.encode_source(["a b a b", "a"])
    assert source.shape == (2, 3) and length.tolist() == [3, 2] and source[0, 2] == EOS
    assert "1 of 2 texts are longer than 3 tokens" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"data.longest_source is 1"):
        Small(longest_source=1)


def test_training_batches_are_of_like_lengths_and_have_each_row_once() -> None:
    data = Small()
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert sorted(int(n) for batch in batches for n in batch[1]) == sorted(data.splits["train"][1].tolist())
    assert all(batch[0].shape[1] == int(batch[1].max()) for batch in batches)


def test_floors_are_the_source_and_its_first_sentence() -> None:
    data = Small()
    data.setup("fit")
    found = data.baselines()
    assert found["chance"]["metrics"]["test/exact"] == 0.5 == found["baseline"]["metrics"]["test/exact"]  # of "a"


def test_byte_pairs_leave_nothing_unknown() -> None:
    data = Small(tokenizer="bpe", source_vocab_size=300, target_vocab_size=300, max_length=40)
    data.setup("fit")
    assert data.decode_target(data.splits["test"][3]) == data.references["test"] == ["Ben; Carl", "a"]
    assert not torch.any(data.splits["test"][0] == UNKNOWN)


@pytest.mark.parametrize(
    "option", [{"batch_by": "tokens"}, {"temperature": 5.0}, {"bpe_dropout": 0.1}, {"objective": "denoise"}]
)
def test_an_option_that_would_do_nothing_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"data.{next(iter(option))} is .*: texts and summaries have only"):
        Small(**option)
