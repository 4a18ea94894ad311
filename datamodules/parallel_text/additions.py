"""What a run takes from another one: its vocabularies; pairs that it made; its targets, to be restored from masks."""

import json
from pathlib import Path

from common.messages import UserError
from datamodules.parallel_text.tags import tag_of
from datamodules.text.files import read_text
from datamodules.text.tokenizer_files import load_tokenizer
from datamodules.text.tokenizers import Tokenizer


def tokenizers_of(run: str, sizes: tuple[int, int] | None = None) -> tuple[Tokenizer, Tokenizer]:
    """The two vocabularies of a run; one object where they are equal.

    Args:
        run: Its folder, or its ``processor.json``.
        sizes: Entries that the vocabularies must have.

    Raises:
        UserError: There is no such file, it has no vocabularies, or they have other sizes.
    """
    path = Path(run) / "processor.json" if Path(run).is_dir() else Path(run)
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"data.vocabulary: {path} is no processor.json: give the folder of a run") from None
    if not isinstance(saved, dict) or not {"source_tokenizer", "target_tokenizer"} <= saved.keys():
        raise UserError(f"data.vocabulary: {path} has no two vocabularies: give a run that translates")
    source = load_tokenizer(saved["source_tokenizer"])
    same = saved["source_tokenizer"] == saved["target_tokenizer"]
    target = source if same else load_tokenizer(saved["target_tokenizer"])
    if sizes and (found := (len(source), len(target))) != sizes:
        raise UserError(
            f"data.vocabulary: {run} has {found[0]} and {found[1]} tokens: give --data.source_vocab_size {found[0]} "
            f"--data.target_vocab_size {found[1]}"
        )
    return source, target


def read_synthetic(path: str) -> list[tuple[str, str]]:
    """The pairs of ``source<TAB>target`` lines.

    Raises:
        UserError: The file cannot be read, or a line has no two sides.
    """
    rows = [line.split("\t") for line in read_text(path, "data.synthetic").splitlines()]
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or not row[0].strip() or not row[1].strip():
            raise UserError(f"{path}:{number} is not source<TAB>target: `dive backtranslate` writes such lines")
    return [(row[0].strip(), row[1].strip()) for row in rows]


def to_restore(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each text as its own source, with the tag of its language where sources have tags; else both sides of a pair.

    A target that stands in several pairs is there once for each.
    """
    rows = []
    for source, target in pairs:
        if tag := tag_of(source):
            rows.append((f"{tag} {target}", target))
        else:
            rows += [(source, source), (target, target)]
    return rows
