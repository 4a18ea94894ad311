"""Tokens of bytes are shown as texts."""

import pytest

from common.byte_tokens import SYMBOLS, readable_tokens, text_of_bytes
from datamodules.text.tokenizers import BPETokenizer, WordTokenizer


def test_the_symbols_are_those_of_the_library() -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    assert set(SYMBOLS) == set(ByteLevel.alphabet()) and sorted(SYMBOLS.values()) == list(range(256))


@pytest.mark.parametrize(
    ("token", "text"),
    [("Ġthe", "·the"), ("á»į", "ọ"), ("á»", "<e1 bb>"), ("áĪµ", "ስ"), ("<eos>", "<eos>"), ("▁word", "▁word")],
)
def test_a_token_is_read(token: str, text: str) -> None:
    assert text_of_bytes(token) == text


def test_the_tokens_of_a_text_are_its_pieces() -> None:
    text = "ẹ kú iṣẹ́ o ሰላም"
    tokenizer = BPETokenizer.train([text] * 3, 290)
    pieces = readable_tokens(tokenizer, tokenizer.encode(text))
    assert "".join(pieces).replace("·", " ") == tokenizer.prepare(text)
    words = WordTokenizer(["<pad>", "<unk>", "á»į"])
    assert readable_tokens(words, [2]) == ["á»į"]
