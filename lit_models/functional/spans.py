"""Named spans in a sequence of tags (``B-country I-country O``), and their F1 as the field counts it.

Ramshaw and Marcus 1995 for the tags, Tjong Kim Sang and De Meulder 2003 (CoNLL) for the score: a span counts when both
its ends and its kind are right. Tags of the schemes IOB1, IOB2 and IOBES are read by the rules of ``conlleval``, and
so of the package ``seqeval``: a tag that cannot continue a span begins one.
"""

from collections.abc import Sequence

Span = tuple[str, int, int]  # its kind, its first word, its last word


def spans(tags: Sequence[str]) -> list[Span]:
    """The spans of a sentence's tags, in order."""
    found: list[Span] = []
    start, before, kind_before = -1, "O", ""
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        inside = prefix != "O"
        begins = inside and (prefix in "BS" or before in "OES" or kind != kind_before)
        if start >= 0 and (begins or not inside):
            found.append((kind_before, start, i - 1))
            start = -1
        if begins:
            start = i
        before, kind_before = prefix, kind
    return found


def span_counts(truth: Sequence[str], found: Sequence[str]) -> tuple[int, int, int]:
    """Of one sentence: spans that are right, that were found, that there are."""
    true, guessed = set(spans(truth)), set(spans(found))
    return len(true & guessed), len(guessed), len(true)


def f1(right: float, found: float, true: float) -> float:
    """The harmonic mean of precision and recall; 0 where nothing is right."""
    return 2 * right / (found + true) if right else 0.0
