"""Documents with their summaries, and files of them: JSON lines, or ``text<TAB>summary`` lines.

A line of JSON has ``text``, a text or a list of its sentences, and ``summary``, a text or a list of several true ones
(SciTLDR's names ``source`` and ``target`` are read too). To predict, no summary is needed.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from common.messages import UserError
from datamodules.fractions import check_fractions
from datamodules.run_file import KnowsItsFile
from datamodules.summaries.words import sentences
from datamodules.text.files import read_text

TEXT, SUMMARY = ("text", "source"), ("summary", "target")


class Document(NamedTuple):
    """Its sentences, its true summaries, of which there may be none to predict, and its line in a file, from 1."""

    sentences: Sequence[str]
    summaries: Sequence[str]
    number: int = 0


class DocumentFile(KnowsItsFile):
    """For a datamodule of a person's own file, split at random (seed 0); one that is not the run's is tested whole."""

    own_path = ""
    fractions: tuple[float, float]

    def use_file(self, path: str, val_fraction: float, test_fraction: float) -> None:
        """Sets the file, and the fractions of its documents that are held out.

        Raises:
            UserError: A fraction leaves a split empty.
        """
        check_fractions(val_fraction, test_fraction)
        self.path = self.own_path = path
        self.fractions = (val_fraction, test_fraction)

    def documents(self, stage: str) -> dict[str, list[Document]]:
        """The documents of each split that a stage needs.

        Raises:
            UserError: As ``read_documents``, or the file has too few documents to split.
        """
        found = read_documents(self.path, with_summaries=stage != "predict")
        if stage == "predict":
            return {"predict": found}
        if self.is_another(stage):
            self.other_file = False  # the baselines need no training part: they are compared with it too
            return {"test" if stage == "test" else "val": found}
        return split_documents(found, self.path, *self.fractions)


def split_documents(
    found: list[Document], path: str, val_fraction: float, test_fraction: float
) -> dict[str, list[Document]]:
    """A file's documents at random (seed 0), at least one in each split.

    Raises:
        UserError: There are fewer than three.
    """
    if len(found) < 3:
        raise UserError(f"{path} has {len(found)} documents: at least 3 are needed to split them")
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0)).tolist()
    val, test = (max(1, round(len(found) * part)) for part in (val_fraction, test_fraction))
    bounds = {"train": (val + test, len(found)), "val": (0, val), "test": (val, val + test)}
    return {name: [found[i] for i in order[start:end]] for name, (start, end) in bounds.items()}


def read_documents(path: str | Path, with_summaries: bool = True) -> list[Document]:
    """The documents of a file, one in each line that is not empty.

    Args:
        path: The file, UTF-8 or UTF-16.
        with_summaries: Each must have one.

    Raises:
        UserError: A line cannot be read, by its number, or has no text or no summary.
    """
    text = read_text(path, hint="FILE.jsonl names your texts with summaries")
    lines = text.split("\n")  # a text may have other line separators
    found = [document(line, path, number, with_summaries) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise UserError(f"{path} has no document: give lines of JSON, or text<TAB>summary")
    return found


def document(line: str, path: str | Path, number: int, with_summaries: bool) -> Document:
    """The document of a line; errors name the file and the line's number."""
    place = f"{path}:{number}"
    if line.lstrip().startswith("{"):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{place} is not JSON: {error.msg} at column {error.colno}") from None
        text, summary = (next((row[name] for name in names if name in row), "") for names in (TEXT, SUMMARY))
    else:
        text, *others = line.split("\t")
        summary = others[0] if others else ""  # further columns are not read
        if with_summaries and not others:
            raise UserError(f"{place} is neither JSON nor text<TAB>summary")
    parts = sentences(text) if isinstance(text, str) else texts_of(text)
    summaries = [summary.strip()] if isinstance(summary, str) else texts_of(summary)
    if not any(part.strip() for part in parts):
        raise UserError(f'{place} has no text: give "text", or a text before the tab')
    if with_summaries and not any(part.strip() for part in summaries):
        raise UserError(f'{place} has no summary: give "summary", or a text behind the tab')
    return Document([p.strip() for p in parts if p.strip()], [s for s in summaries if s.strip()], number)


def texts_of(value: Any) -> list[str]:
    """A list of texts; nothing where the value is something else."""
    return [part.strip() for part in value if isinstance(part, str)] if isinstance(value, list) else []
