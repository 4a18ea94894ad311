"""A chat template: a conversation as one text, and which of its tokens a model is to learn.

    <user>sort:314<end><assistant>134<end>

Only what the assistant says is learned, and the ``<end>`` behind it, without which a model would not know when to stop.
The marks of roles and the other sides' texts have no target: a model that learns them learns to play the user.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common.messages import UserError
from datamodules.text.language_model import PAD
from datamodules.text.tokenizers import SPECIALS, Tokenizer

ROLES = ("system", "user", "assistant")
END = "<end>"
MARKS = (*(f"<{role}>" for role in ROLES), END)
CHAT_SPECIALS = (*SPECIALS, *MARKS)
#: A question as a person asks it, and what ends the answer (``dive chat``).
CHAT_TEMPLATE = f"<user>{{}}{END}<assistant>"

Message = Mapping[str, Any]


def pieces_of(messages: Iterable[Message], where: str = "the conversation") -> list[tuple[str, bool]]:
    """The texts of a conversation in their order, and whether each is learned.

    Args:
        messages: Each with a ``role`` and its ``content``.
        where: Names the conversation in errors.

    Raises:
        UserError: An unknown role, a message without a text, or a text with a mark of the template.
    """
    found: list[tuple[str, bool]] = []
    for number, message in enumerate(messages, 1):
        role = message.get("role") if isinstance(message, Mapping) else None
        content = message.get("content") if isinstance(message, Mapping) else None
        if role not in ROLES:
            raise UserError(f"{where}: message {number} has the role {role!r}: give {', '.join(ROLES)}")
        if not isinstance(content, str):
            raise UserError(f"{where}: message {number} has no text: give it a content")
        if mark := next((mark for mark in MARKS if mark in content), ""):
            raise UserError(f"{where}: message {number} has {mark}, a mark of the template: take it out")
        learned = role == "assistant"
        found += [(f"<{role}>", False), (content, learned), (END, learned)]
    return found


def encode_chat(
    messages: Sequence[Message], tokenizer: Tokenizer, seq_len: int, where: str = "the conversation", given: int = 0
) -> tuple[list[int], list[int]]:
    """Tokens and targets of a conversation, ``seq_len`` of each; targets are one token later, or ``PAD``.

    Args:
        messages: The conversation.
        tokenizer: Of the model.
        seq_len: Tokens of a row.
        where: Names the conversation in errors.
        given: How many messages at the beginning are not learned, whoever says them.

    Raises:
        UserError: It is longer; or see ``pieces_of``.
    """
    ids: list[int] = []
    targets: list[int] = []
    before = len(pieces_of(messages[:given], where))
    for place, (text, learned) in enumerate(pieces_of(messages, where)):
        new = [tokenizer.id_of(text)] if text in MARKS else tokenizer.encode(text)
        ids += new
        targets += new if learned and place >= before else [PAD] * len(new)
    if len(ids) - 1 > seq_len:
        raise UserError(f"{where} has {len(ids) - 1} tokens: data.seq_len is {seq_len}; give as many")
    space = seq_len + 1 - len(ids)
    return ids[:-1] + [0] * space, targets[1:] + [PAD] * space


def turn(prompt: str, answer: str) -> list[Message]:
    """A question and its answer as a conversation."""
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
