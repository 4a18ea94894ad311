"""What a run takes from another one: its vocabularies; pairs that it made; its targets, to be restored from masks."""

import json
from pathlib import Path
from typing import Any

from common.messages import UserError
from datamodules.parallel_text.pair_files import lines_of_file
from datamodules.parallel_text.tags import tag_of, without_tags
from datamodules.text.tokenizer_files import load_tokenizer, read_json, read_tokenizer
from datamodules.text.tokenizers import Tokenizer


def tokenizers_of(folder: str, sizes: tuple[int, int] | None = None) -> tuple[Tokenizer, Tokenizer]:
    """The two vocabularies of a run, or the one of a published model; one object where they are equal.

    Args:
        folder: Of the run, or its ``processor.json``; or a folder with ``tokenizer.json`` and ``config.json``.
        sizes: Entries that the vocabularies must have.

    Raises:
        UserError: There is no such file, it has no vocabularies, or they have other sizes.
    """
    if is_published(folder):
        found = read_tokenizer(folder, config_of(folder).get("vocab_size", 0))
        source, target = found, found
    else:
        saved = saved_in(folder)
        source = load_tokenizer(saved["source_tokenizer"])
        same = saved["source_tokenizer"] == saved["target_tokenizer"]
        target = source if same else load_tokenizer(saved["target_tokenizer"])
    if sizes and (lengths := (len(source), len(target))) != sizes:
        raise UserError(
            f"data.vocabulary: {folder} has {lengths[0]} and {lengths[1]} tokens: give --data.source_vocab_size "
            f"{lengths[0]} --data.target_vocab_size {lengths[1]}"
        )
    return source, target


def special_ids(folder: str) -> tuple[int, int, int] | None:
    """The padding, the beginning of a target and the end of a published model, or of a run of its vocabulary; None for
    those of our own vocabularies.

    Raises:
        UserError: The ``config.json`` does not name them.
    """
    if not is_published(folder):
        ids = saved_in(folder).get("special_ids")
        return (ids[0], ids[1], ids[2]) if ids else None
    config = config_of(folder)
    names = ("pad_token_id", "decoder_start_token_id", "eos_token_id")
    ids = [config.get(name) for name in names]
    if any(not isinstance(i, int) for i in ids):
        missing = [name for name, i in zip(names, ids, strict=True) if not isinstance(i, int)]
        raise UserError(f"data.vocabulary: the config.json of {folder} has no {missing[0]}: add it")
    return ids[0], ids[1], ids[2]


def is_published(folder: str) -> bool:
    return (Path(folder) / "tokenizer.json").is_file() and not (Path(folder) / "processor.json").is_file()


def is_there(folder: str) -> bool:
    """Whether there are vocabularies: a later command than fit needs none, and finds perhaps none."""
    path = Path(folder)
    return bool(folder) and (is_published(folder) or path.is_file() or (path / "processor.json").is_file())


def config_of(folder: str) -> dict[str, Any]:
    """The ``config.json`` of a published model; empty without one."""
    path = Path(folder) / "config.json"
    return read_json(path) if path.is_file() else {}


def saved_in(run: str) -> dict[str, Any]:
    """The ``processor.json`` of a run that has two vocabularies."""
    path = Path(run) / "processor.json" if Path(run).is_dir() else Path(run)
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(
            f"data.vocabulary: {path} is not a processor.json: give the folder of a run or a folder with tokenizer.json"
        ) from None
    if not isinstance(saved, dict) or not {"source_tokenizer", "target_tokenizer"} <= saved.keys():
        raise UserError(f"data.vocabulary: {path} has no two vocabularies: give a run that translates")
    return saved


def read_synthetic(path: str) -> list[tuple[str, str]]:
    """The pairs of ``source<TAB>target`` lines.

    Raises:
        UserError: The file cannot be read, or a line has no two sides.
    """
    rows = [line.split("\t") for line in lines_of_file(path, "data.synthetic")]
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
            text = without_tags(source)
            rows += [(text, text), (target, target)]
    return rows
