"""One interface, three tokenizers: encoding is reversible, sizes are as declared, saved ones can be loaded."""

import random
import time
from pathlib import Path

import numpy as np
import pytest

from common.messages import UserError
from datamodules.text.tokenizer_files import load_tokenizer
from datamodules.text.tokenizers import SPECIALS, TOKENIZERS, pieces

TEXTS = [
    "The cat's tail, 12 cm long (or 13)!\n",
    "  Ọjọ́ Ajé; የኬኒያ ሺሊንግ.\n\n",
    "well-known   words \t again the THE the\n",
]
SIZES = {"char": 80, "word": 60, "space": 40, "bpe": 300, "byte": 300}


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_training_texts_are_decoded_exactly(kind: str) -> None:
    tokenizer = TOKENIZERS[kind].train(TEXTS, SIZES[kind])
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text)) == tokenizer.prepare(text)


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_the_vocabulary_has_the_declared_size_and_the_specials_first(kind: str) -> None:
    for size in (SIZES[kind], SIZES[kind] + 500):  # the second is more than the texts have
        tokenizer = TOKENIZERS[kind].train(TEXTS, size)
        assert len(tokenizer) == size and tokenizer.tokens[:4] == list(SPECIALS)
        assert [tokenizer.id_of(s) for s in ("<pad>", "<bos>", "<eos>", "<unk>")] == [0, 1, 2, 3]
        assert max(tokenizer.encode(TEXTS[0])) < size


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_saved_and_loaded_it_cuts_alike(kind: str, tmp_path: Path) -> None:
    tokenizer = TOKENIZERS[kind].train(TEXTS, SIZES[kind], lower=True)
    tokenizer.save(tmp_path / "tokenizer.json")
    for again in (load_tokenizer(tmp_path / "tokenizer.json"), load_tokenizer(tokenizer.saved())):
        assert type(again) is type(tokenizer) and len(again) == len(tokenizer)
        assert all(again.encode(text) == tokenizer.encode(text) for text in [*TEXTS, "NEW WORDS"])
        assert again.decode(again.encode(TEXTS[0])) == tokenizer.decode(tokenizer.encode(TEXTS[0]))


@pytest.mark.parametrize("kind", ["char", "word", "space"])
def test_what_it_does_not_know_is_unknown(kind: str) -> None:
    tokenizer = TOKENIZERS[kind].train(["a b c"], 20)
    assert tokenizer.encode("a q")[-1] == 3 and "<unk>" in tokenizer.decode(tokenizer.encode("a q"))
    without = TOKENIZERS[kind].train(["a b c"], 20, specials=("<pad>",))
    assert without.decode(without.encode("a q")).strip() == "a"


@pytest.mark.parametrize("word", ["ẹlẹ́sẹ̀", "हिन्दी", "ภาษาไทย", "שָׁלוֹם", "مُحَمَّدٌ", "\u0645\u06cc\u200c\u062e\u0648", "x²"])
def test_a_word_keeps_its_combining_marks(word: str) -> None:
    cutter = TOKENIZERS["word"](SPECIALS)
    assert cutter.cut(f"{word} {word}") == [word, f" {word}"]


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_a_long_text_is_encoded_in_pieces_as_it_is_whole(kind: str) -> None:
    text = (" ".join(TEXTS) + "\n\n   \n") * 900 + "x" * 40_000
    tokenizer = TOKENIZERS[kind].train(TEXTS, SIZES[kind])
    found = tokenizer.encode_long([text], len(text))
    assert found.dtype == np.int32 and "".join(pieces(text)) == text and max(map(len, pieces(text))) <= 1 << 14
    end = len(tokenizer.encode(" ".join(TEXTS) * 3))
    assert found[:end].tolist() == tokenizer.encode(text)[:end]
    if kind in ("char", "bpe"):
        assert tokenizer.decode(found.tolist()).replace("<unk>", "x") == tokenizer.prepare(text)
    if kind != "bpe":
        assert found.tolist() == tokenizer.encode(text) or kind != "char"


def test_byte_pairs_of_a_text_without_spaces_take_no_quadratic_time() -> None:
    text = "".join(random.Random(0).choices("ACGT", k=160_000))
    began = time.process_time()
    tokenizer = TOKENIZERS["bpe"].train([text], 300)
    assert time.process_time() - began < 4  # 0.3 seconds; 7 where the text is one word
    assert tokenizer.decode(tokenizer.encode(text[:999])) == text[:999]


def test_byte_pairs_know_every_text() -> None:
    tokenizer = TOKENIZERS["bpe"].train(["abc"], 260)
    assert tokenizer.decode(tokenizer.encode("ሰኞ 🙂 Ọjọ́")) == tokenizer.prepare("ሰኞ 🙂 Ọjọ́")


@pytest.mark.parametrize("kind", list(SIZES))
def test_unused_entries_are_not_decoded(kind: str) -> None:
    tokenizer = TOKENIZERS[kind].train(["b a b c"], 300)
    unused = [i for i, token in enumerate(tokenizer.tokens) if token.startswith("<unused")]
    assert unused and tokenizer.decode(unused) == ""
    for again in (tokenizer, load_tokenizer(tokenizer.saved())):
        assert again.decode([*again.encode("b a"), *unused]) == "b a"


def test_the_most_frequent_come_first_and_ties_do_not_depend_on_the_order_of_texts() -> None:
    word = TOKENIZERS["space"]
    assert word.train(["b a b c"], 7).tokens[4:] == ["b", "a", "c"]
    assert word.train(["c b", "a b"], 7).tokens == word.train(["b a", "b c"], 7).tokens
    assert word.train(["b a b c"], 7, min_count=2).tokens[4:] == ["b", "<unused0>", "<unused1>"]


def test_specials_written_in_a_text_are_themselves_and_are_not_decoded() -> None:
    tokenizer = TOKENIZERS["word"].train(["<sw> Monday"], 20, specials=(*SPECIALS, "<sw>"))
    assert tokenizer.encode("<sw> Monday")[0] == 4
    assert tokenizer.decode([1, *tokenizer.encode("<sw> Monday"), 2, 0]) == " Monday"
    assert tokenizer.decode([1, 4, 2, 0]) == ""


def test_tone_marks_written_in_two_ways_are_one() -> None:
    tokenizer = TOKENIZERS["char"].train(["é"], 10)
    assert tokenizer.encode("e\u0301") == tokenizer.encode("é")


@pytest.mark.parametrize(("kind", "size"), [("char", 4), ("bpe", 259)])
def test_a_vocabulary_without_room_is_refused(kind: str, size: int) -> None:
    with pytest.raises(UserError, match=f"vocab_size is {size}"):
        TOKENIZERS[kind].train(TEXTS, size)


def test_files_that_are_not_tokenizers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "b.json").write_text("no")
    for name in ("a.json", "b.json", "absent.json"):
        with pytest.raises(UserError):
            load_tokenizer(tmp_path / name)
