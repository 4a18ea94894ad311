"""Tokens of a byte-level tokenizer as texts, for people to read.

Such a tokenizer names a token by one symbol for each of its bytes (Radford et al. 2019): those of "ọ" are "á»į", that
of a space is "Ġ".
"""

from collections.abc import Iterable
from typing import Any

#: The bytes whose symbol is the character of the same number; the others' are those from 256 on.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
SYMBOLS = {chr(byte): byte for byte in PRINTABLE}
SYMBOLS |= {chr(256 + k): byte for k, byte in enumerate(sorted(set(range(256)) - set(PRINTABLE)))}


def readable_tokens(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """The tokens of some ids of a tokenizer; of one whose ``kind`` is ``bpe`` or ``byte`` as texts."""
    tokens = [tokenizer.tokens[i] for i in ids]
    return [text_of_bytes(token) for token in tokens] if getattr(tokenizer, "kind", "") in ("bpe", "byte") else tokens


def text_of_bytes(token: str) -> str:
    """The text of a byte-level token, ``·`` for a space; a part of a character as ``<e1 ba>``.

    A token with any other symbol is returned unchanged.
    """
    if not set(token) <= set(SYMBOLS):
        return token
    raw = bytes(SYMBOLS[symbol] for symbol in token)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"<{raw.hex(' ')}>"
    return text.replace(" ", "·").replace("\n", "↵")
