"""A large text file is read in blocks, and gives what the whole text gives."""

import codecs
import itertools
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.text import language_model, long_text
from datamodules.text.files import read_text, split_text
from datamodules.text.long_text import LongText, open_text, split
from datamodules.text.text_file import TextFile
from datamodules.text.tokenizer_files import FileTokenizer
from datamodules.text.tokenizers import TOKENIZERS, lines_of
from datamodules.text.world_tokenizer import WorldTokenizer

WORDS = ["the", "ẹ̀kọ́", "ΟΔΟΣ", "한국", "각", "12", "...", "naïve", "<unk>", "a" * 70, "\u3042", "🙂", "ም", "x\r", "\r"]
GAPS = [" ", " ", " ", "  ", "\n", "\r\n", "\n\n", "\t", " \n", "\u2028", "\u00a0"]


def written(seed: int, words: int = 3000) -> str:
    draw = random.Random(seed)
    return "".join(draw.choice(WORDS) + draw.choice(GAPS) for _ in range(words))


@pytest.fixture(params=[("utf-8", 150), ("utf-8-sig", 997), ("utf-16", 401), ("utf-32", 64)], ids=lambda p: p[0])
def read_in_blocks(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    encoding, block = request.param
    monkeypatch.setattr(long_text, "LARGE_FILE", 1)
    monkeypatch.setattr(long_text, "BLOCK", block)
    yield encoding


@pytest.mark.parametrize("seed", range(3))
def test_blocks_and_lines_are_those_of_the_whole_text(tmp_path: Path, read_in_blocks: str, seed: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(written(seed).encode(read_in_blocks))
    whole, text = read_text(path), open_text(path)
    assert isinstance(text, LongText) and len(text) == len(whole)
    blocks = list(text.blocks())
    assert "".join(blocks) == whole and len(blocks) > 10 and max(map(len, blocks)) <= long_text.BLOCK + long_text.AROUND
    assert "".join(unicodedata.normalize("NFC", block) for block in blocks) == unicodedata.normalize("NFC", whole)
    assert "".join(text.lines()) == whole
    if max(map(len, lines_of(whole))) < long_text.BLOCK:
        assert list(text.lines()) == list(lines_of(whole))
    part = text.part(100, 2000).part(50, 10**9)
    assert "".join(part.blocks()) == whole[150:2000] and len(part) == 1850


@pytest.mark.parametrize("fractions", [(0.1, 0.1), (0.2, 0.0), (0.0, 0.3)])
def test_parts_are_those_of_the_whole_text(tmp_path: Path, read_in_blocks: str, fractions: tuple[float, float]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(written(5).encode(read_in_blocks))
    parts = split(open_text(path), *fractions)
    found = {name: "".join(long_text.blocks_of(part)) for name, part in parts.items()}
    assert found == split_text(read_text(path), *fractions)


def test_letters_that_belong_together_are_not_parted_where_there_is_no_white_space(
    tmp_path: Path, read_in_blocks: str
) -> None:
    path = tmp_path / "a.txt"
    text = unicodedata.normalize("NFD", "".join(random.Random(0).choices("한국각éọ", k=4000)))
    path.write_bytes(text.encode(read_in_blocks))
    blocks = list(long_text.blocks_of(open_text(path)))
    assert len(blocks) > 3
    assert "".join(unicodedata.normalize("NFC", block) for block in blocks) == unicodedata.normalize("NFC", text)
    naive = [text[i : i + long_text.BLOCK] for i in range(0, len(text), long_text.BLOCK)]
    assert "".join(unicodedata.normalize("NFC", block) for block in naive) != unicodedata.normalize("NFC", text)


def test_a_lone_carriage_return_means_what_the_whole_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_text, "LARGE_FILE", 1)
    monkeypatch.setattr(long_text, "BLOCK", 8)
    path = tmp_path / "a.txt"
    for content in (b"one\rtwo\rthree four\r", b"one\rtwo\rthree four\r\nfive\n", b"a\r\r\nb" * 9 + b"\r"):
        path.write_bytes(content)
        assert "".join(long_text.blocks_of(open_text(path))) == read_text(path)


@pytest.mark.parametrize("content", [b"", b" \n" * 50, b"good text\n" * 9 + b"\xff\n", codecs.BOM_UTF16_LE + b"a\0b"])
def test_what_cannot_be_read_is_told_as_for_a_small_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError) as small:
        read_text(path)
    monkeypatch.setattr(long_text, "LARGE_FILE", 1)
    with pytest.raises(UserError) as large:
        open_text(path)
    assert str(large.value) == str(small.value)
    for wrong in ("", str(tmp_path), str(tmp_path / "none.txt")):
        with pytest.raises(UserError):
            open_text(wrong)


@pytest.mark.parametrize("kind", ["char", "word", "space", "bpe", "byte", ""])
@pytest.mark.parametrize("lower", [False, True])
def test_a_large_file_gives_the_tokens_of_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, lower: bool
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(written(1), encoding="utf-8", newline="")

    def read() -> TextFile:
        data = TextFile(str(path), tokenizer=kind, lower=lower, seq_len=16, batch_size=4)
        data.setup("fit")
        return data

    small = read()
    monkeypatch.setattr(long_text, "LARGE_FILE", 1)
    monkeypatch.setattr(long_text, "BLOCK", 500)
    monkeypatch.setattr(language_model, "KEPT_TEXT", 100)
    large = read()
    assert isinstance(large.texts()["train"], LongText)
    assert large.processor() == small.processor() and large.facts == small.facts and large.lengths == small.lengths
    assert large.characters_per_token == small.characters_per_token and large.unknown_bits == small.unknown_bits
    assert large.vocab_size == small.vocab_size and len(large.corpus["train"]) > 1000
    for name, ids in small.corpus.items():
        torch.testing.assert_close(large.corpus[name], ids, rtol=0, atol=0)


def test_the_longest_token_that_fits_may_cross_the_pieces() -> None:
    tokenizer = WorldTokenizer(["", *(chr(i) for i in range(256)), "ab", "abc\n\nd", "  ", " a", "\n\n", "\n\n\n\n"])
    draw = random.Random(0)
    for _ in range(50):
        text = "".join(draw.choice("abcd \n") for _ in range(300))
        cuts = [0, *sorted(draw.sample(range(300), 9)), 300]
        parts = [text[a:b] for a, b in itertools.pairwise(cuts)]
        assert tokenizer.encode_pieces(parts).tolist() == tokenizer.encode(text)
    apart = np.concatenate([tokenizer.encode(part) for part in parts]).tolist()
    assert apart != tokenizer.encode(text)


@pytest.mark.parametrize("marked", [False, True])
def test_a_models_own_tokenizer_encodes_in_pieces_where_that_changes_nothing(marked: bool) -> None:
    import tokenizers
    from tokenizers import models, pre_tokenizers

    made = TOKENIZERS["bpe"].train([written(2)], 400)
    model = tokenizers.Tokenizer.from_str(made.saved()["model"])
    if marked:  # a mark before the beginning of each text
        model = tokenizers.Tokenizer(models.WordLevel({"\u2581": 0, "\u2581a": 1, "a": 2, "\n": 3, "?": 4}, "?"))
        model.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer, given = FileTokenizer(model.to_str()), []
    encode = tokenizer.encode_prepared
    tokenizer.encode_prepared = lambda text: given.append(len(text)) or encode(text)  # type: ignore[assignment,func-returns-value]
    pieces = ["a\na a" * 40, "\na a" * 40, "\na" * 30]
    assert tokenizer.encode_pieces(pieces).tolist() == encode("".join(pieces))
    whole = len("".join(pieces))
    assert (whole in given) is marked
