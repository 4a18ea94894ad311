"""Pairs of texts in files: one file of ``source<TAB>target`` lines, or two files whose lines correspond."""

import unicodedata
from collections.abc import Sequence

from common.messages import UserError
from datamodules.parallel_text.pair_splits import Pairs, random_splits
from datamodules.text.files import read_text
from datamodules.text.tokenizers import SPECIALS, TOKENIZERS

LARGEST_FOUND = 10_000  # tokens of a vocabulary
BYTE_PAIRS = ((500_000, 4000), (100_000, 2000), (0, 1000))  # characters of a side, byte pairs


def read_pairs(path: str, target_path: str) -> tuple[Pairs, list[int]]:
    """The pairs of one file or two, and the numbers of the lines that were left out since a side is empty.

    Raises:
        UserError: A file cannot be read, a line has no tab, or two files have different numbers of lines.
    """
    if not target_path:
        return one_file(path)
    sides = [lines_of_file(path, "data.path"), lines_of_file(target_path, "data.target_path")]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{path} has {len(sides[0])} lines, {target_path} has {len(sides[1])}: line i of one must be the "
            "translation of line i of the other"
        )
    both = [(source.strip(), target.strip()) for source, target in zip(*sides, strict=True)]
    pairs = [pair for pair in both if all(pair)]
    if not pairs:
        raise UserError(f"{path} and {target_path} have no line with a source and a target")
    return pairs, [number for number, pair in enumerate(both, 1) if any(pair) and not all(pair)]


def left_out(numbers: Sequence[int]) -> str:
    """The line on lines with an empty side."""
    which = f"line {numbers[0]:,}" if len(numbers) == 1 else f"the first is line {numbers[0]:,}"
    return f"{len(numbers):,} lines without a source or without a target are left out ({which})"


def other_forms(pairs: Pairs) -> str:
    """The line on pairs whose letters and marks are not in Unicode's composed form (NFC); empty without any."""
    count = sum(any(not unicodedata.is_normalized("NFC", text) for text in pair) for pair in pairs)
    return (
        f"{count:,} of {len(pairs):,} pairs are not in Unicode's composed form (NFC) and are brought to it"
        if count
        else ""
    )


def lines_of_file(path: str, option: str) -> list[str]:
    """The lines of a file: the last one may be empty or not be ended."""
    return read_text(path, option, "FILE.tsv names your lines of source<TAB>target").removesuffix("\n").split("\n")


def one_file(path: str) -> tuple[Pairs, list[int]]:
    """The pairs of ``source<TAB>target`` lines."""
    pairs: Pairs = []
    dropped: list[int] = []
    for number, line in enumerate(lines_of_file(path, "data.path"), 1):
        source, tab, target = line.partition("\t")
        target = target.split("\t")[0]
        if source.strip() and target.strip():
            pairs.append((source.strip(), target.strip()))
        elif tab and line.strip():
            dropped.append(number)  # not translated yet
        elif line.strip():
            raise UserError(f"{path}:{number} is not source<TAB>target; for two files give --data.target_path too")
    if not pairs:
        raise UserError(f"{path}:1 and all other lines have no source or no target")
    return pairs, dropped


def split(pairs: Pairs, val_fraction: float, test_fraction: float) -> dict[str, Pairs]:
    """The pairs of each split by fractions of the different sources; the test has none where its fraction is 0."""
    sources = len({source for source, _ in pairs})
    sizes = [max(1, round(sources * part)) if part else 0 for part in (val_fraction, test_fraction)]
    return random_splits(pairs, *sizes)


def vocabulary_of(texts: Sequence[str], kind: str, lower: bool, min_count: int) -> int:
    """The size of a vocabulary, specials included."""
    if kind == "byte":
        return len(SPECIALS) + 256
    if kind == "bpe":
        length = sum(map(len, texts))
        return next(size for least, size in BYTE_PAIRS if length >= least)
    cutter = TOKENIZERS[kind](SPECIALS, SPECIALS, lower)
    counts: dict[str, int] = {}
    for text in texts:
        for token in cutter.cut(cutter.prepare(text)):
            counts[token] = counts.get(token, 0) + 1
    return len(SPECIALS) + max(
        1, min(LARGEST_FOUND, sum(n >= min_count for t, n in counts.items() if t not in SPECIALS))
    )
