"""The pages for readers, README.md and docs/*.md, and the measured numbers that stand in them."""

from pathlib import Path
from typing import Any

from scripts.recipes import CONFIGS
from scripts.results_page import fill_numbers

ROOT = CONFIGS.parent
DOCS = ROOT / "docs"


def all_pages() -> list[Path]:
    """README.md and the pages of docs/."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def fill_pages(results: dict[str, dict[str, Any] | None]) -> None:
    """Writes the measured means between the markers of every page; see ``fill_numbers``."""
    for page in all_pages():
        text = page.read_text()
        filled = fill_numbers(text, results)
        if filled != text:
            page.write_text(filled)
