"""A user's own text."""

import random
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from datamodules.text.text_file import TextFile, tokenizer_for


def test_a_text_is_split_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"this is line {i}\n" for i in range(200)))
    data = TextFile(path=str(path), vocab_size=64, seq_len=16)
    data.setup("fit")
    assert data.tokenizer is not None
    assert data.tokenizer.decode(data.corpus["train"][:15].tolist()) == "this is line 0\n"
    assert data.tokenizer.decode(data.corpus["test"][-17:].tolist()) == "this is line 199\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), ("x", "tokens, but needs"), ("short", "needs 32"), ("o" * 15, "tokens, but needs")],
)
def test_a_file_that_is_too_short_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        TextFile(path=str(path), vocab_size=64, seq_len=16).setup("fit")
    assert str(path) in str(caught.value)


def text_file(path: Path, text: str, **options: Any) -> TextFile:
    path.write_text(text, encoding="utf-8")
    data = TextFile(path=str(path), **({"seq_len": 16, "batch_size": 4} | options))
    data.setup("fit")
    return data


def test_the_vocabulary_is_what_the_text_has(tmp_path: Path) -> None:
    draw = random.Random(0)
    signs = [chr(0x4E00 + i) for i in range(600)]
    data = text_file(tmp_path / "zh.txt", "".join(draw.choices(signs, k=8000)))
    assert data.kind == "char" and 590 < data.vocab_size <= 604 and not (data.corpus["train"] == 3).any()
    assert f"a vocabulary of {data.vocab_size} characters" in data.summary()
    small = text_file(tmp_path / "zh.txt", "".join(draw.choices(signs, k=8000)), vocab_size=112)
    assert "of the train tokens are not in the vocabulary of 112" in small.summary()


def test_sizes_of_a_recipe_are_not_those_of_a_text_but_typed_ones_are(tmp_path: Path) -> None:
    from scripts.front.build import build

    path = tmp_path / "a.txt"
    path.write_text("".join(chr(0x4E00 + i) for i in range(300)) * 9)
    words = ["rnn/gru", "--data", "TextFile", "--data.path", str(path)]
    assert build(words)[2].vocab_size == 304
    assert build([*words, "--data.vocab_size", "200"])[2].vocab_size == 200
    assert build([words[0].replace("rnn/gru", "attention/gpt"), *words[1:]])[2].kind == "char"


def test_large_texts_of_words_have_byte_pairs_and_others_characters() -> None:
    words = "the cat sat on the mat\n" * 20_000
    assert tokenizer_for(words) == "bpe" and tokenizer_for(words[:100_000]) == "char"
    assert tokenizer_for("ACGT" * 200_000) == "char"
    assert tokenizer_for("".join(chr(0x4E00 + i % 3000) for i in range(500_000))) == "char"


def test_bytes_as_tokens_need_no_size(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Ẹ̀kọ́ ìjọba\n" * 100, encoding="utf-8")
    assert TextFile.infer(str(path), "byte") == {"tokenizer": "byte", "vocab_size": 260}
    data = TextFile(path=str(path), tokenizer="byte", seq_len=16)
    data.setup("fit")
    length = len(data.texts()["test"].encode())
    assert len(data.corpus["test"]) == length and data.characters_per_token["test"] < 1
    assert any("260 bytes" in fact for fact in data.facts)


def test_both_forms_of_unicode_have_the_same_length_in_characters(tmp_path: Path) -> None:
    text = "Ẹ̀kọ́ ìjọba ní ọjọ́ ajé\n" * 100
    one, other = (text_file(tmp_path / f"{form}.txt", unicodedata.normalize(form, text)) for form in ("NFC", "NFD"))
    assert one.characters_per_token == pytest.approx(other.characters_per_token) and one.vocab_size == other.vocab_size


def test_an_unknown_character_costs_what_it_takes_to_write_it_down(tmp_path: Path) -> None:
    data = text_file(tmp_path / "a.txt", "ab" * 400 + "§¶" * 50)
    share = float((data.corpus["test"] == 3).float().mean())
    assert share > 0.9 and data.unknown_bits["test"] == pytest.approx(20.08 * share, abs=0.01)
    bits = data.baselines()["chance"]["metrics"]["test/bits_per_character"]
    assert bits > 18  # and not the bits of <unk> alone


def test_a_text_to_predict_is_scored_whole_and_needs_no_training_part(tmp_path: Path) -> None:
    data = text_file(tmp_path / "a.txt", "this is a line\n" * 100, partition="sequential")
    new = tmp_path / "new.txt"
    new.write_text("a line is this\n" * 3)
    again = TextFile(path=str(new), vocab_size=data.vocab_size, seq_len=16, partition="sequential")
    again.load_processor(data.processor())
    again.setup("predict")
    assert again.splits["predict"][0].shape == (3, 16) and again.counts() == {"predict": 45}
    assert "".join(again.predict_cells["text"]) == new.read_text()[1:] and again.predict_names == ["1", "2", "3"]


def test_another_text_and_a_test_text_are_tested_whole(tmp_path: Path) -> None:
    data = text_file(tmp_path / "a.txt", "this is a line\n" * 100)
    other = tmp_path / "b.txt"
    other.write_text("a line this is\n" * 5)
    again = TextFile(path=str(other), vocab_size=data.vocab_size, seq_len=16)
    again.load_processor(data.processor())
    again.setup("test")
    assert len(again.corpus["test"]) == 75 and again.other_file
    with_test = TextFile(path=str(tmp_path / "a.txt"), test_path=str(other), seq_len=16)
    with_test.setup("fit")
    with_test.setup("test")
    assert len(with_test.corpus["test"]) == 75 and len(with_test.corpus["train"]) + len(with_test.corpus["val"]) == 1500
