"""The pages for readers, README.md and docs/*.md, and the measured numbers in them.

<!--cnn/lenet test/acc-->0.9813<!---->             a recipe's mean over its seeds
<!--cnn/lenet test/acc ablation-->0.9630<!---->    its ablation, ``chance``, ``baseline``, ``trees`` or ``words``
<!--mlp/house_prices test/rmse gain-->0.37 ± 0.05<!---->    over its ablation, fold by fold, with a 95 % interval
<!--vision/fine_tuning test/acc draw_gain-->0.37 ± 0.05<!---->    the same of folds that share no training row
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from common.messages import UserError
from scripts.evidence.results_page import fill_numbers, reference
from scripts.evidence.rows_file import locked, replace_text
from scripts.front.recipes import CONFIGS

ROOT = CONFIGS.parent
DOCS = ROOT / "docs"


def all_pages(root: Path = ROOT) -> list[Path]:
    """README.md and the pages of docs/."""
    return [root / "README.md", *sorted(root.glob("docs/*.md"))]


def fill_pages(results: dict[str, dict[str, Any] | None], root: Path = ROOT) -> None:
    """Writes the measured numbers between the markers of every page."""
    for page in all_pages(root):
        rewrite(page, partial(filled_in, results=results, page=page.name))


def rewrite(page: Path, change: Callable[[str], str]) -> None:
    """Gives a page the text that a function makes of its own; other processes wait, then see the new text."""
    with locked(page.parent):
        text = page.read_text()
        if (new := change(text)) != text:
            replace_text(page, new)


def between(text: str, first: str, last: str, new: str, page: str) -> str:
    """A page's text with ``new`` in the place of what stands between two marks.

    Raises:
        UserError: The page, whose name is ``page``, lacks the marks.
    """
    before, found, rest = text.partition(first)
    if not found or last not in rest:
        raise UserError(f"{page} has no {first.strip()} with {last} after it")
    return before + first + new + rest[rest.index(last) :]


def filled_in(text: str, results: dict[str, dict[str, Any] | None], page: str = "the page") -> str:
    """A page with the numbers of the stored results, by recipe.

    Raises:
        UserError: The page, whose name is ``page``, asks for a metric that a recipe does not have.
    """
    return fill_references(fill_numbers(text, results, page), results)


def fill_references(text: str, results: dict[str, dict[str, Any] | None]) -> str:
    """Inserts the number that a recipe's is compared with between ``<!--recipe metric ablation-->`` and ``<!---->``."""

    def fill(found: re.Match[str]) -> str:
        result = results.get(found[1])
        take = gain if found[3].endswith("gain") else reference
        value = take(result, found[3], found[2]) if result else "not run"
        return f"<!--{found[1]} {found[2]} {found[3]}-->{value}<!---->"

    return re.sub(r"<!--(\S+) (\S+) (ablation|chance|baseline|trees|words|gain|draw_gain)-->.*?<!---->", fill, text)


def gain(result: dict[str, Any], kind: str, metric: str) -> str:
    """How much more a recipe has than its ablation: the mean difference over the folds, with its 95 % interval.

    The ablation has the first seed, so that both are taken of it, fold by fold. ``draw_gain``: the training rows of
    each fold are drawn anew, and the interval is Student's. ``gain``: two folds of a cross-validation share most of
    them, which makes Student's too narrow; the variance is that of Nadeau and Bengio (2003), 1/k + n_test/n_train
    times that of the differences, with n_test/n_train = 1/(k - 1).
    """
    own, other = (run.get("folds") for run in (result["runs"][0], result.get("ablation", {})))
    if not own or not other or len(own) < 2 or metric not in own[0]:
        return "-"
    from scipy.stats import t

    differences = [a[metric] - b[metric] for a, b in zip(own, other, strict=True)]
    k = len(differences)
    half = t.ppf(0.975, k - 1) * stdev(differences) * (1 / k + (kind == "gain") / (k - 1)) ** 0.5
    return f"{mean(differences):.4f} ± {half:.4f}"
