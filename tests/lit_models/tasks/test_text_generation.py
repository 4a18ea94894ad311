"""Texts go on from prompts: each with random numbers of its own, each in final pieces."""

import pytest
import torch

from common.generation import Output
from common.messages import UserError
from datamodules.text.tokenizers import CharTokenizer
from lit_models.tasks.text_generation import beginning, continue_texts, encode_prompt, sampling

TOKENIZER = CharTokenizer.train(["abcdefg"], 12)


def draw(rows, generators, banned):  # type: ignore[no-untyped-def]
    """Five random tokens for each row, by its own generator."""
    for _ in range(5):
        yield torch.stack([torch.randint(4, 11, (), generator=g) for g in generators])


def texts(prompts: list[str], samples: int = 1, stop: list[str] | None = None) -> list[str]:
    found: dict[int, str] = {}
    for piece in continue_texts(draw, TOKENIZER, prompts, samples, stop or [], 0, 0, torch.device("cpu")):
        assert isinstance(piece, Output)
        found[piece.row] = found.get(piece.row, "") + piece.text
    return [found[row] for row in sorted(found)]


def test_a_text_is_the_same_alone_and_beside_others() -> None:
    assert texts(["a", "bc"], 2) == texts(["a"], 2) + texts(["bc"], 2)


def test_samples_of_a_prompt_differ_and_begin_with_it() -> None:
    found = texts(["ab"], 4)
    assert len(set(found)) == 4 and all(text.startswith("ab") and len(text) == 7 for text in found)


def test_a_stop_text_and_what_follows_are_left_out() -> None:
    whole = texts(["a"])[0]
    assert texts(["a"], stop=[whole[3:5]])[0] == whole[:3]


def test_a_text_without_new_lines_begins_with_its_most_frequent_token() -> None:
    assert beginning(CharTokenizer.train(["bbba"], 8)) == "b"
    assert beginning(CharTokenizer.train(["bbba\n"], 8)) == "\n"


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(UserError, match="no token"):
        encode_prompt(TOKENIZER, "")
    with pytest.raises(UserError, match="--temperature is -1"):
        sampling(temperature=-1.0)
    with pytest.raises(UserError, match="--samples is 0"):
        texts(["a"], 0)


def test_a_prompt_longer_than_the_context_keeps_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert encode_prompt(TOKENIZER, "abcdef", 3) == TOKENIZER.encode("def")
    assert "the prompt has 6 tokens, the model reads 3 at once" in capsys.readouterr().err
    assert encode_prompt(TOKENIZER, "abc", 3) == TOKENIZER.encode("abc")


def test_a_text_that_ends_early_does_not_end_the_others_and_special_tokens_are_banned() -> None:
    asked: list[list[int]] = []

    def letters(rows, generators, banned):  # type: ignore[no-untyped-def]
        asked.append(banned)
        for pair in ("cd", "de", "ef"):
            yield torch.tensor([TOKENIZER.encode(letter)[0] for letter in pair])

    pieces = continue_texts(letters, TOKENIZER, ["a", "b"], 1, ["c"], 0, 0, torch.device("cpu"))
    found = ["", ""]
    for piece in pieces:
        found[piece.row] += piece.text
    assert found == ["a", "bdef"]
    assert [TOKENIZER.tokens[i] for i in asked[0]] == [*TOKENIZER.specials, "<unused0>"]
