"""Numbers of the pages come from the results, the measured ones and what they are read against."""

import pytest

from common.messages import UserError
from scripts.evidence.pages import all_pages, between, fill_references, filled_in
from scripts.evidence.results import load
from scripts.front.recipes import all_recipes

RESULT = {
    **{"ablation": {"metrics": {"test/acc": 0.5}}, "chance": {"metrics": {"test/acc": 0.1}}},
    "words": {"metrics": {"test/acc": 0.3}},
}


def test_an_ablation_and_chance_are_filled_in() -> None:
    text = "<!--cnn/lenet test/acc ablation-->?<!----> and <!--cnn/lenet test/acc chance-->0.2<!---->"
    filled = "<!--cnn/lenet test/acc ablation-->0.5000<!----> and <!--cnn/lenet test/acc chance-->0.1000<!---->"
    text += " <!--cnn/lenet test/acc words--><!---->"
    filled += " <!--cnn/lenet test/acc words-->0.3000<!---->"
    assert fill_references(text, {"cnn/lenet": RESULT}) == filled


def test_what_was_not_run_says_so() -> None:
    text = "<!--cnn/lenet test/acc baseline-->0.9<!---->"
    assert "not run" in fill_references(text, {})
    assert "-->-<!--" in fill_references(text, {"cnn/lenet": RESULT})


def test_a_gain_over_draws_is_paired_and_has_students_interval() -> None:
    from scipy.stats import ttest_rel

    own, other = [0.9, 0.8, 0.95, 0.85], [0.5, 0.45, 0.6, 0.4]
    rows = [[{"test/acc": value} for value in values] for values in (own, other)]
    result = {"runs": [{"seed": 0, "folds": rows[0]}], "ablation": {"folds": rows[1]}}
    filled = fill_references("<!--a/b test/acc draw_gain-->?<!---->", {"a/b": result})
    low, high = ttest_rel(own, other).confidence_interval(0.95)
    assert filled == f"<!--a/b test/acc draw_gain-->{(low + high) / 2:.4f} ± {(high - low) / 2:.4f}<!---->"
    assert "-->-<!--" in fill_references(filled, {"a/b": {"runs": [{"seed": 0}], "ablation": {}}})


def test_the_pages_show_the_stored_results() -> None:
    results = {recipe.name: load(recipe) for recipe in all_recipes()}
    for page in all_pages():
        text = page.read_text()
        assert filled_in(text, results) == text, f"{page.name}: `dive results --render` fills it in"


def test_what_stands_between_two_marks_is_replaced_and_a_page_without_them_is_refused() -> None:
    assert between("a<!--x-->old<!--/x-->b", "<!--x-->", "<!--/x-->", "new", "p.md") == "a<!--x-->new<!--/x-->b"
    for text in ("a", "a<!--x-->b", "<!--/x--><!--x-->"):
        with pytest.raises(UserError, match=r"p\.md has no <!--x--> with <!--/x--> after it"):
            between(text, "<!--x-->", "<!--/x-->", "new", "p.md")
