"""WordPiece: cleaning, accents, the longest piece, unknown words."""

import pytest

from lit_models.embeddings.wordpiece import WordPiece, basic_words

PIECES = ["[PAD]", "[UNK]", "un", "##aff", "##able", "##a", "##b", "a", "b", "unaff"]


def test_longest_piece_first_and_a_rest_without_a_piece_makes_the_word_unknown() -> None:
    model = WordPiece(PIECES)
    assert model.encode_word("unaffable") == ["unaff", "##able"]
    assert model.encode_word("unab") == ["un", "##a", "##b"]
    assert model.encode_word("unaffordable") == ["[UNK]"] == model.encode_word("a" * 101)
    assert model.encode("Unaffable b!") == [9, 4, 8, 1]


@pytest.mark.parametrize(
    ("text", "lower", "words"),
    [
        ("isn't\u200b $5^2", True, ["isn", "'", "t", "$", "5", "^", "2"]),
        ("ọkọ̀ ọkọ", True, ["oko", "oko"]),  # vehicle, husband: the uncased model cannot tell them apart
        ("ọkọ̀ ọkọ", False, ["ọkọ̀", "ọkọ"]),
        ("中文a", True, ["中", "文", "a"]),
        ("\u00a0a\tb\x00\ufffd", True, ["a", "b"]),
        ("ሰላም።", True, ["ሰላም", "።"]),
    ],
)
def test_words_are_cut_as_bert_cuts_them(text: str, lower: bool, words: list[str]) -> None:
    assert basic_words(text, lower) == words


def test_training_prefers_pairs_that_are_frequent_beside_their_parts() -> None:
    model = WordPiece.train({"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}, 9, [])
    assert model.vocabulary[:7] == ["##g", "##n", "##s", "##u", "b", "h", "p"]
    assert model.vocabulary[7:] == ["##gs", "##ug"]  # Hugging Face course 6.6, where "hu" is the first of equals
