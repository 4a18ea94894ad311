"""BPE dropout between the vocabulary's own tokens and single bytes."""

import random

import pytest

from common.messages import UserError
from datamodules.parallel_text.bpe_dropout import BPEDropout
from datamodules.text.tokenizers import BPETokenizer, CharTokenizer

TEXTS = ["Jumatatu, 5 Machi 2018", "the lowest and the newest", "Ẹ̀kọ́ ọjọ́ kíní", "<unk> low <unk>lower", "ዓርብ፣ 3 ማርች"]
TOKENIZER = BPETokenizer.train(TEXTS * 3, 330)


def test_without_dropout_the_tokens_are_those_of_the_library() -> None:
    cutter = BPEDropout(TOKENIZER, 0.0)
    assert [cutter.encode(text, random.Random(0)) for text in TEXTS] == [TOKENIZER.encode(text) for text in TEXTS]


def test_the_merge_that_was_learned_first_comes_first() -> None:
    tokenizer = BPETokenizer.train(["bc", "bc", "bc", "ab", "ab"], 262)
    assert list(BPEDropout(tokenizer, 0.0).rank) == [("b", "c"), ("a", "b")]
    assert BPEDropout(tokenizer, 0.0).cut("abc", random.Random(0)) == ["a", "bc"]


def test_with_probability_one_each_byte_is_a_token() -> None:
    cutter = BPEDropout(TOKENIZER, 1.0)
    for text in TEXTS:
        ids = cutter.encode(text, random.Random(0))
        plain = TOKENIZER.prepare(text).replace("<unk>", "")
        assert len(ids) == len(plain.encode()) + text.count("<unk>")


def test_any_cut_is_the_same_text_and_the_seed_decides_it() -> None:
    cutter = BPEDropout(TOKENIZER, 0.3)
    cuts = [cutter.encode(TEXTS[2], random.Random(seed)) for seed in range(5)]
    assert len({tuple(cut) for cut in cuts}) > 2 and cuts[1] == cutter.encode(TEXTS[2], random.Random(1))
    assert {TOKENIZER.decode(cut) for cut in cuts} == {TOKENIZER.prepare(TEXTS[2])}
    assert all(len(cut) >= len(TOKENIZER.encode(TEXTS[2])) for cut in cuts)


def test_a_merge_is_left_out_with_its_probability() -> None:
    """A word of one merge: it stays in two parts with the probability itself."""
    cutter = BPEDropout(BPETokenizer.train(["ab ab"], 261), 0.3)
    assert len(cutter.rank) == 1
    draw = random.Random(0)
    apart = sum(len(cutter.encode("ab", draw)) == 2 for _ in range(4000)) / 4000
    assert abs(apart - 0.3) < 0.03


def test_bad_input_is_one_line() -> None:
    with pytest.raises(UserError, match=r"data.bpe_dropout is 1.5: give a probability"):
        BPEDropout(TOKENIZER, 1.5)
    with pytest.raises(UserError, match="char has no merges"):
        BPEDropout(CharTokenizer.train(["ab"], 8), 0.1)
