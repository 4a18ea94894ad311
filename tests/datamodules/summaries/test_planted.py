"""Planted facts: what a text without errors scores, and which names the test has alone."""

from typing import Any

import pytest

from common.messages import UserError
from datamodules.summaries.planted import PlantedFacts

SMALL: dict[str, Any] = {"train_size": 300, "val_size": 18, "test_size": 36}


@pytest.mark.parametrize("direction", ["summary", "document"])
def test_references_cover_all_facts_and_invent_none(direction: Any) -> None:
    data = PlantedFacts(direction, **SMALL)
    data.setup("fit")
    texts = data.references["test"]
    assert data.fact_scores(texts, range(36)) == {"covered": 1.0, "invented": 0.0, "repeated": 0.0}
    empty = data.fact_scores([""] * 36, range(36))
    assert empty == {"covered": 0.0, "invented": 0.0, "repeated": 0.0}
    kinds = ("country", "day") if direction == "summary" else ("country", "day", "language", "currency")
    wanted = sum(fact.kind in kinds for record in data.records["test"] for fact in record.facts)
    one = data.fact_scores([texts[0]] + [""] * 35, range(36))["covered"] * wanted
    assert one == pytest.approx(sum(fact.kind in kinds for fact in data.records["test"][0].facts))
    others = data.fact_scores(texts[18:] + texts[:18], range(36))
    assert others["covered"] < 0.2 and others["invented"] > 0.8
    assert data.decode_target(data.splits["test"][3]) == texts


def test_names_are_copied_from_sources_and_every_second_row_has_those_of_training() -> None:
    data = PlantedFacts("document", max_length=64, **SMALL)
    data.setup("fit")
    source, _, _, target = data.splits["test"]
    for row, ids in zip(source, target, strict=True):
        assert set(ids[ids >= 600].tolist()) <= set(row.tolist())
    assert int((target >= 600).any(1).sum()) > 30 and int((target == 3).sum()) == 0
    new = data.subsets["test"]["new_names"]
    assert new == [i % 2 == 0 for i in range(36)]
    known = {fact.name for record in data.records["train"] for fact in record.facts if fact.kind == "country"}
    for record, is_new in zip(data.records["test"], new, strict=True):
        assert not (is_new and known & {fact.name for fact in record.facts if fact.kind == "country"})


def test_an_unknown_language_is_one_line() -> None:
    with pytest.raises(UserError, match=r"data.languages has no 'xx': choose among en, sw"):
        PlantedFacts(languages=("en", "xx"))
