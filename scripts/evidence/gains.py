"""The stored comparisons of ``dive significance --write``: ``results/translation_gains.csv``, and their table in
``docs/translation.md``.

A row is the comparison of two runs, known by the commands that made them; a new one of the same commands replaces it.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from common.messages import UserError
from lit_models.functional.translation_scores import Comparison
from scripts.evidence.pages import between, rewrite
from scripts.evidence.rows_file import cell, locked, read_unique, replace_text
from scripts.front.recipes import CONFIGS

ROWS = CONFIGS.parent / "results" / "translation_gains.csv"
PAGE = CONFIGS.parent / "docs" / "translation.md"
KEY = ("first", "other")
METRICS = {"chrf": "chrF++", "bleu": "BLEU"}
NUMBERS = ("first", "other", "half", "p")  # of each metric
COLUMNS = (*KEY, "sentences", *(f"{metric}_{name}" for metric in METRICS for name in NUMBERS))


def command_of(run: Path) -> str:
    """The command that made a run, with ``runs/.../TIME`` for the folders of runs that it names.

    Raises:
        UserError: The run does not tell.
    """
    try:
        command = json.loads((run / "run.json").read_text())["command"]
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise UserError(f"{run} does not tell its command: run.json has none") from error
    return re.sub(r"[^\s=]*?(runs/\S+/)\d{4}-[^\s/]+", r"\1TIME", command)


def row_of(first: Path, other: Path, sentences: int, found: dict[str, Comparison]) -> dict[str, Any]:
    """A row of the file.

    Args:
        first, other: The runs.
        sentences: On how many pairs.
        found: The comparison by each metric.
    """
    row: dict[str, Any] = {"first": command_of(first), "other": command_of(other), "sentences": sentences}
    for metric, comparison in found.items():
        values = (comparison.first.value, comparison.second.value, comparison.half, comparison.p)
        row |= {f"{metric}_{name}": value for name, value in zip(NUMBERS, values, strict=True)}
    return row


def write(rows: Iterable[dict[str, Any]], path: Path = ROWS, page: Path = PAGE) -> None:
    """Adds rows to the file, and renders the page."""
    with locked(path.parent):
        stored = {(row["first"], row["other"]): row for row in read_unique(path, KEY)}
        for row in rows:
            stored[row["first"], row["other"]] = {name: cell(row[name]) for name in COLUMNS}
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(stored.values())
        replace_text(path, text.getvalue())
    rewrite(page, partial(between, first="<!--gains-->\n", last="<!--/gains-->", new=table(path), page=page.name))


def table(path: Path = ROWS) -> str:
    """The comparisons in Markdown; a gain is bold where its interval is on one side of 0."""
    lines = [
        "| run | compared with | pairs | " + " | ".join(METRICS.values()) + " |",
        "|---" * (3 + len(METRICS)) + "|",
    ]
    for row in read_unique(path, KEY):
        cells = [gain(*(float(row[f"{metric}_{name}"]) for name in NUMBERS)) for metric in METRICS]
        lines.append(f"| `{row['other']}` | `{row['first']}` | {int(row['sentences']):,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def gain(first: float, other: float, half: float, p: float) -> str:
    text = f"{other - first:+.1f} ± {half:.1f}"
    return f"{first:.1f} to {other:.1f}: " + (f"**{text}**" if abs(other - first) > half else text) + f", p = {p:.3f}"
