"""Words, signs and sentences of a text in any script, and the text again.

A word of a document must be the same token wherever it stands, so that a summary can copy it: no token has a space.
"""

import regex

from datamodules.text.files import SENTENCE_ENDS, UNSPACED_ENDS

WORD = r"[\p{L}\p{M}\p{Nd}_\u200c\u200d]+"
PATTERN = regex.compile(rf"<\w+>|{WORD}(?:['\u2019-]{WORD})*|[^\s\p{{L}}\p{{Nd}}_]\p{{M}}*")
#: Signs with no space before them, and with none behind them.
CLOSING, OPENING = (
    r".,;:!?%)\]}\u00bb\u201d\u2026\u061f\u060c\u06d4\u0964\u1361-\u1368",
    r"(\[{\u00ab\u201c\u00bf\u00a1",
)
BEFORE, BEHIND = regex.compile(rf" (?=[{CLOSING}])"), regex.compile(rf"(?<=[{OPENING}]) ")
SENTENCE = regex.compile(
    rf"(?<=[.!?\u2026{SENTENCE_ENDS}][\"'\u2019\u201d\u00bb)\]]*)\s+(?![\p{{Ll}}])|\n+|(?<=[{UNSPACED_ENDS}])"
)
#: Abbreviations that end in a point and no sentence.
SHORT = regex.compile(r"(?:^|[\s(])(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|vs|cf|al|Fig|Eq|Sec|No|e\.g|i\.e)\.$")


def split_words(text: str) -> str:
    """A text with a space between all words and signs."""
    return " ".join(PATTERN.findall(text))


def join_words(text: str) -> str:
    """The text of words and signs with the usual spaces."""
    return BEHIND.sub("", BEFORE.sub("", text))


def sentences(text: str) -> list[str]:
    """The sentences of a text: after a sign that ends one and a space, or at a line's end."""
    found: list[str] = []
    open_part = ""
    for part in SENTENCE.split(text):
        open_part = f"{open_part} {part.strip()}".strip()
        if open_part and not SHORT.search(open_part):
            found.append(open_part)
            open_part = ""
    return [*found, open_part] if open_part else found
