"""README's table of the study plan, made of ``configs/plan.yaml`` and of measured numbers.

It is between ``<!--plan-->`` and ``<!--/plan-->``; each number in it is between markers of its own, as everywhere
in the README (``results_page.py``).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.evidence.pages import rewrite
from scripts.evidence.results_page import number
from scripts.front.plan import Headline, Item, items
from scripts.front.recipes import CONFIGS

ROOT = CONFIGS.parent
HEADING = "| | item | pages | begin with | result |\n|---|---|---|---|---|\n"


def plan_table(results: Mapping[str, Mapping[str, float]]) -> str:
    """The table in Markdown.

    Args:
        results: The mean of each metric of each recipe that was measured, e.g. ``{"cnn/lenet": {"test/acc": 0.98}}``.
    """
    return HEADING + "".join(row(item, results) for item in items())


def row(item: Item, results: Mapping[str, Mapping[str, float]]) -> str:
    """One line: number, title, links to the topics' pages, and for each headline a command and what it reached."""
    commands = [f"`{line.command or 'dive fit ' + line.recipe}`" for line in item.headlines]
    reached = [result_of(line, results) for line in item.headlines] or ["not built yet"]
    pages = [shown for name in item.pages if item.headlines and (shown := page_of(name))]
    cells = [str(item.number), item.title, ", ".join(pages), "<br>".join(commands), "<br>".join(reached)]
    return "| " + " | ".join(cells) + " |\n"


def page_of(name: str) -> str:
    """A link to a page, or to a topic's folder where it has none; empty where there is neither."""
    shown = name.replace("_", " ")
    if (ROOT / "docs" / f"{name}.md").is_file():
        return f"[{shown}](docs/{name}.md)"
    return f"[{shown}](lit_models/{name})" if (ROOT / "lit_models" / name).is_dir() else ""


def result_of(line: Headline, results: Mapping[str, Mapping[str, float]]) -> str:
    """A headline's number between its markers, and what it counts."""
    if not line.recipe:
        return line.says
    value = results.get(line.recipe, {}).get(line.metric)
    shown = "not run" if value is None else number(value)
    return f"<!--{line.recipe} {line.metric}-->{shown}<!----> {line.says}"


def fill_plan(text: str, results: Mapping[str, Mapping[str, float]]) -> str:
    """Replaces the table between the markers of a page."""
    table = f"<!--plan-->\n{plan_table(results)}<!--/plan-->"
    return re.sub(r"<!--plan-->.*?<!--/plan-->", lambda _: table, text, flags=re.DOTALL)


def write_plan(readme: Path, results: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Renders the table of a page anew from stored results."""
    means = {name: {k: v["mean"] for k, v in r["metrics"].items()} for name, r in results.items() if r}
    rewrite(readme, lambda text: fill_plan(text, means))
