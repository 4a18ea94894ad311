"""README's table comes from the plan file and from measured numbers."""

import re

from scripts.evidence.plan_table import ROOT, fill_plan, plan_table, row
from scripts.front.plan import Item

README = (ROOT / "README.md").read_text()


def test_a_number_is_filled_in_and_a_missing_one_is_not_run() -> None:
    table = plan_table({"cnn/lenet": {"test/acc": 0.98125}})
    assert "<!--cnn/lenet test/acc-->0.9812<!----> accuracy on 1,000 test digits" in table
    assert "<!--rnn/gru test/perplexity-->not run<!---->" in table
    assert row(Item(21, "a new item", [], []), {}) == "| 21 | a new item |  |  | not built yet |\n"


def test_the_readmes_table_is_the_plans() -> None:
    """Rendered again with its own numbers; `dive results --render` writes it."""
    shown: dict[str, dict[str, float]] = {}
    for recipe, metric, value in re.findall(r"<!--(\S+) (\S+?)-->([\d.e+-]+)<!---->", README):
        shown.setdefault(recipe, {})[metric] = float(value)
    assert fill_plan(README, shown) == README
