"""Pieces of text are final, and together they are the text."""

import pytest

from datamodules.text.tokenizers import BPETokenizer, CharTokenizer, SpaceTokenizer, Tokenizer, WordTokenizer
from lit_models.functional.text_stream import TextStream

TEXT = "the cat sat on the mat. \u1230\u129e the cat\u2019s hat: o\u0323\u0300 the mat\n" * 3


@pytest.mark.parametrize("kind", [CharTokenizer, WordTokenizer, SpaceTokenizer, BPETokenizer])
def test_pieces_together_are_the_whole_text(kind: type[Tokenizer]) -> None:
    tokenizer = kind.train([TEXT], 400)
    ids = tokenizer.encode(TEXT)
    stream = TextStream(tokenizer.decode, ids[:5])
    pieces = [stream.add(token) for token in ids[5:]]
    assert "".join([*pieces, stream.finish()]) == tokenizer.decode(ids)[len(tokenizer.decode(ids[:5])) :]
    assert not any("\ufffd" in piece for piece in pieces)


def test_a_token_costs_the_decoding_of_a_few() -> None:
    lengths: list[int] = []

    def decode(ids: list[int]) -> str:
        lengths.append(len(ids))
        return "x" * len(ids)

    stream = TextStream(decode, [0])
    for _ in range(500):
        stream.add(1)
    assert max(lengths) < 12


def test_a_stop_text_across_tokens_ends_the_text_before_it() -> None:
    tokenizer = CharTokenizer.train(["abcdef"], 10)
    stream = TextStream(tokenizer.decode, [], ["cde", "zz"])
    assert [stream.add(token) for token in tokenizer.encode("abcdef")] == ["a", "b", "", "", "", ""]
    assert stream.ended and stream.finish() == ""


def test_the_beginning_of_a_stop_text_that_is_none_is_given_out_later() -> None:
    tokenizer = CharTokenizer.train(["abcdef"], 10)
    stream = TextStream(tokenizer.decode, [], ["cde"])
    pieces = [stream.add(token) for token in tokenizer.encode("abcf")]
    assert pieces == ["a", "b", "", "cf"]


def of_bytes(ids: list[int]) -> str:
    """A token is a byte; half a character reads as the replacement sign."""
    return bytes(ids).decode("utf-8", errors="replace")


def test_a_character_of_several_tokens_comes_whole() -> None:
    stream = TextStream(of_bytes, [])
    pieces = [stream.add(byte) for byte in "a\u00e9\u20ac!".encode()]
    assert pieces == ["a", "", "\u00e9", "", "", "\u20ac", "!"]


def test_the_end_gives_out_what_was_held_back_and_nothing_follows() -> None:
    half, stop = TextStream(of_bytes, []), TextStream(of_bytes, [], ["cde"])
    assert [half.add(byte) for byte in "a\u00e9".encode()[:2]] == ["a", ""]
    assert half.finish() == "\ufffd"
    assert [stop.add(byte) for byte in b"bcd"] == ["b", "", ""]
    assert stop.finish() == "cd"
    assert stop.finish() == "" and stop.add(ord("x")) == ""


def test_the_first_of_several_stop_texts_in_one_token_ends_the_text() -> None:
    stream = TextStream(lambda ids: "one two three" * len(ids), [], ["three", "two"])
    assert stream.add(0) == "one " and stream.ended


def test_the_longest_beginning_of_a_stop_text_is_held_back() -> None:
    stream = TextStream(of_bytes, [], ["aab"])
    assert [stream.add(byte) for byte in b"aaab"] == ["", "", "a", ""] and stream.ended


def test_an_empty_stop_text_stops_nothing() -> None:
    stream = TextStream(of_bytes, [], [""])
    assert stream.add(ord("a")) == "a" and not stream.ended
