"""Texts as numbers: the vocabulary, padding, the vocabulary of a run."""

import unicodedata
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.labeled_text import PAD, UNKNOWN, LabeledText, TextLoader, build_vocabulary, encode, split_text


def test_words_keep_their_apostrophes_and_signs_stand_alone() -> None:
    assert split_text("It's GOOD, isn't it?!", "word") == ["it's", "good", ",", "isn't", "it", "?", "!"]
    assert split_text(" Ọ̀yọ́ ", "character")[0] == "Ọ"


@pytest.mark.parametrize(
    "word", ["ẹlẹ́sẹ̀", "हिन्दी", "ภาษาไทย", "שָׁלוֹם", "مُحَمَّدٌ", "\u0645\u06cc\u200c\u062e\u0648", "l\u2019été"]
)
def test_words_keep_their_combining_marks_in_either_form(word: str) -> None:
    for form in ("NFC", "NFD"):
        assert split_text(unicodedata.normalize(form, f"{word} {word}!"), "word") == [
            unicodedata.normalize("NFC", word),
        ] * 2 + ["!"]


def test_a_text_in_either_form_of_unicode_is_the_same_for_every_unit() -> None:
    texts = ["ẹlẹ́sẹ̀ ìjọba òṣèlú", "ìdíje àwọn"] * 3
    for unit in ("word", "character", "subword"):
        data = Few(vocab_size=60, unit=unit)
        data.make_vocabulary(texts)
        assert data.numbers([unicodedata.normalize("NFD", t) for t in texts]) == data.numbers(texts)


def test_what_is_cut_and_unknown_is_said() -> None:
    data = Few(seq_len=1)
    data.setup("fit")
    assert data.facts == [
        "50% of the test words are not in the vocabulary",
        "2 of 6 texts are longer than data.seq_len 1 words and are cut",
    ]


def test_few_rows_are_gone_over_several_times_in_an_epoch_and_batches_stay_full() -> None:
    rows = torch.arange(1, 6)[:, None]
    loader = TextLoader((rows,), 2, True, 3)
    batches = [batch[0].flatten().tolist() for batch in loader]
    assert len(batches) == len(loader) == 9 and [len(b) for b in batches] == [2] * 8 + [1]
    assert sorted({row for b in batches[:3] for row in b}) == [1, 2, 3, 4, 5]
    again = TextLoader((rows,), 2, True, 3)
    again.load_state_dict({"epoch": 0, "batch": 4, "batches": 9, "rows": 5})
    assert [batch[0].flatten().tolist() for batch in again] == batches[4:]


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
    assert x.tolist()[0] == [1] and x.dtype == torch.int64 and y.tolist() == [0, 1]


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
