"""The same facts in several languages, and what of them the test has alone."""

from typing import Any

import pytest

from common.messages import UserError
from datamodules.parallel_text.cldr_many import CLDRMany, World

SMALL: dict[str, Any] = {"languages": ("en", "sw", "yo", "am"), "train_size": 600, "val_size": 50, "test_size": 200}


def test_the_unseen_direction_is_in_the_test_only() -> None:
    data = CLDRMany(**SMALL)
    pairs = data.pairs()
    assert {name: len(rows) for name, rows in pairs.items()} == {"train": 600, "val": 50, "test": 200}
    subsets = data.subsets["test"]
    marked = zip(pairs["test"], subsets["unseen_direction"], strict=True)
    assert all(source.startswith("<2sw>") for (source, _), unseen in marked if unseen)
    assert sum(subsets["unseen_direction"]) > 20 and sum(subsets["unseen_names"]) > 20 and sum(subsets["seen"]) > 40
    again = CLDRMany(**SMALL).pairs()
    assert again == pairs


def test_training_and_validation_have_other_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "text", lambda _, fact, language: f"{language} {fact}")
    parts = {name: {source[:8] for source, _ in rows} for name, rows in CLDRMany(**SMALL).pairs().items()}
    assert "<2sw> yo" in parts["test"] and "<2sw> yo" not in parts["train"] | parts["val"]
    assert len(parts["train"]) == 11 and len(parts["test"]) == 12


def test_held_out_names_are_in_no_training_text() -> None:
    data = CLDRMany(**SMALL)
    pairs = data.pairs()
    world = World(SMALL["languages"])
    targets = {target for _, target in pairs["train"]}
    for language in SMALL["languages"]:
        held = {world.text(("territory", code), language) for code in world.held["territory"]}
        others = [code for code in world.names["territory"] if code not in world.held["territory"]]
        same = {world.text(("territory", code), other) for other in SMALL["languages"] for code in others}
        assert not (held - same) & targets


def test_no_source_is_in_two_splits() -> None:
    pairs = CLDRMany(**SMALL).pairs()
    sources = [source for rows in pairs.values() for source, _ in rows]
    assert len(sources) == len(set(sources))


def test_bad_input_is_one_line() -> None:
    with pytest.raises(UserError, match=r"data.unseen is \['yo', 'fr'\]: give two of data.languages"):
        CLDRMany(unseen=("yo", "fr"))
    with pytest.raises(UserError, match="CLDR has no language 'xx'"):
        CLDRMany(languages=("en", "xx"), unseen=("en", "xx")).pairs()
