"""Words with tags as rows of sub-words."""

import pytest
import torch

from common.messages import UserError
from datamodules.text.tagged_text import Sentence, TaggedText, tag_names

SENTENCES = [(["Nairobi", "is", "big"], ["B-LOC", "O", "O"]), (["in", "Addis", "Ababa"], ["O", "B-LOC", "I-LOC"])] * 6


class Towns(TaggedText):
    def read(self, stage: str) -> dict[str, list[Sentence]]:
        self.class_names = tag_names(SENTENCES)
        if stage == "predict":
            return {"predict": [(words, []) for words, _ in SENTENCES]}
        return {"train": SENTENCES, "val": SENTENCES[:2], "test": SENTENCES[:2]}


def test_the_first_sub_word_has_the_tag_and_the_others_none() -> None:
    data = Towns(3, vocab_size=34)  # hardly more than the characters: words are cut into pieces
    data.setup("fit")
    x, y = data.splits["train"]
    assert y.shape == x.shape and int((y[0] >= 0).sum()) == 3 and int((x[0] != 0).sum()) > 5
    assert data.tokenizer is not None
    first = len(data.tokenizer.encode("Nairobi"))
    assert y[0, 1] == 1 and bool((y[0, 2 : 1 + first] == -100).all()) and y[0, 1 + first] == 0


def test_tags_of_tokens_are_tags_of_words_again() -> None:
    data = Towns(3, vocab_size=34)
    data.setup("fit")
    other = Towns(3, vocab_size=34)
    other.load_processor(data.processor())
    other.setup("predict")
    tags = data.splits["train"][1].clamp(min=0)
    assert other.decode_target(tags)[1] == "in/O Addis/B-LOC Ababa/I-LOC" and len(other.splits["predict"]) == 1


def test_a_long_sentence_is_cut_at_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    data = Towns(3, vocab_size=60, seq_len=5)
    data.setup("fit")
    capsys.readouterr()
    x, y = data.rows("val", [(["in"] * 9, ["O"] * 9)])
    assert x.shape == y.shape == (1, 5) and "longer than data.seq_len" in capsys.readouterr().err
    assert data.tagged_words["val"][0] == ["in"] * 3


def test_tags_are_as_wide_as_the_tokens_of_a_batch() -> None:
    data = Towns(3, vocab_size=60)
    x = torch.tensor([[2, 5, 3, 0, 0]]).int()
    tokens, tags = data.transform((x, torch.zeros(1, 5).long()))
    assert tokens.shape == tags.shape == (1, 3)


def test_o_is_the_first_tag_and_other_tags_are_needed() -> None:
    assert tag_names(SENTENCES) == ["O", "B-LOC", "I-LOC"]
    with pytest.raises(UserError, match="every tag is O"):
        tag_names([(["a"], ["O"])])
