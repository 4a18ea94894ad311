"""Texts as numbers: the vocabulary, padding, the vocabulary of a run."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.labeled_text import PAD, UNKNOWN, LabeledText, build_vocabulary, encode, split_text


def test_words_keep_their_apostrophes_and_signs_stand_alone() -> None:
    assert split_text("It's GOOD, isn't it?!", "word") == ["it's", "good", ",", "isn't", "it", "?", "!"]
    assert split_text(" Ọ̀yọ́ ", "character")[0] == "Ọ"


def test_vocabulary_is_the_most_frequent_tokens_and_never_larger_than_declared() -> None:
    texts = ["b a b", "c b a d"]
    assert build_vocabulary(texts, 4, "word") == [PAD, UNKNOWN, "b", "a"]
    assert build_vocabulary(texts, 100, "word") == [PAD, UNKNOWN, "b", "a", "c", "d"]


def test_rows_are_cut_and_padded_and_unknown_words_are_one() -> None:
    rows = encode(["a b z", "b", "a a a a a"], [PAD, UNKNOWN, "a", "b"], 4, "word")
    assert rows.tolist() == [[2, 3, 1, 0], [3, 0, 0, 0], [2, 2, 2, 2]] and rows.dtype == torch.int32


class Few(LabeledText):
    """Two classes of three-word texts; the test has a word that training has not."""

    def __init__(self, num_classes: int = 2, vocab_size: int = 10, seq_len: int = 5, **text: Any) -> None:
        super().__init__(num_classes, vocab_size, seq_len, **text)

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        if stage == "predict":
            return {"predict": (["bad new"], None)}
        y = torch.tensor([0, 1])
        return {"train": (["bad bad film", "good film"], y), "val": (["bad", "good"], y), "test": (["new", "good"], y)}


def test_vocabulary_comes_from_training_texts_alone_and_batches_are_long() -> None:
    data = Few()
    data.setup("fit")
    data.setup("test")
    assert data.vocabulary == [PAD, UNKNOWN, "bad", "film", "good"]
    x, y = data.transform(next(iter(data.test_dataloader())))
    assert x.tolist()[0] == [1, 0, 0, 0, 0] and x.dtype == torch.int64 and y.tolist() == [0, 1]


def test_a_run_gives_the_vocabulary_back() -> None:
    data = Few(unit="word")
    data.setup("fit")
    again = Few(unit="character")
    again.load_processor(data.processor())
    again.setup("predict")
    assert again.splits["predict"][0].tolist() == [[2, 1, 0, 0, 0]]
    with pytest.raises(UserError, match=r"processor\.json"):
        Few().setup("predict")


@pytest.mark.parametrize(("name", "value"), [("vocab_size", 2), ("seq_len", 0)])
def test_impossible_sizes_are_refused(name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"data.{name} is {value}"):
        Few(**{name: value})  # type: ignore[arg-type]
