"""The chat template: what is learned, unknown roles, marks inside of a text."""

import pytest

from common.messages import UserError
from datamodules.text.chat_template import CHAT_SPECIALS, CHAT_TEMPLATE, encode_chat, pieces_of, turn
from datamodules.text.tokenizers import WordTokenizer

TOKENIZER = WordTokenizer.train(["sort:314 be kind"], 32, CHAT_SPECIALS)


def test_only_the_assistants_text_and_its_end_are_targets() -> None:
    messages = [{"role": "system", "content": "be kind"}, *turn("sort:31", "13"), *turn("sort:4", "4")]
    tokens, targets = encode_chat(messages, TOKENIZER, 24)
    names = [TOKENIZER.tokens[i] if i >= 0 else "" for i in targets]
    assert [name for name in names if name] == ["1", "3", "<end>", "4", "<end>"]
    for token, target in zip(tokens[1:], targets[:-1], strict=True):
        assert target in (-1, token) or token == 0
    assert names[-1] == "" and len(tokens) == len(targets) == 24


def test_the_template_of_a_chat_is_the_beginning_of_a_conversation() -> None:
    asked = TOKENIZER.encode(CHAT_TEMPLATE.format("sort:31"))
    tokens, _ = encode_chat(turn("sort:31", "13"), TOKENIZER, 24)
    assert tokens[: len(asked)] == asked


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "bot", "content": "hi"}, r"message 2 has the role 'bot': give system, user, assistant"),
        ({"role": "user"}, r"message 2 has no text"),
        ({"role": "user", "content": "a<end><assistant>b"}, r"message 2 has <assistant>, a mark of the template"),
    ],
)
def test_what_the_template_does_not_know_is_one_line(message: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        pieces_of([{"role": "user", "content": "hi"}, message])


def test_a_conversation_that_is_too_long_is_one_line() -> None:
    with pytest.raises(UserError, match=r"has 10 tokens: data.seq_len is 4"):
        encode_chat(turn("sort:314", "13"), TOKENIZER, 4)
