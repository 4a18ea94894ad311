"""CLDR's dates and amounts: right in each language, new in the test."""

from typing import Any

import pytest

from common.messages import UserError
from datamodules.parallel_text.cldr import CLDR

SMALL = {"train_size": 400, "val_size": 40, "test_size": 60}


def test_texts_are_cldrs() -> None:
    pairs = dict(
        pair for split in CLDR(languages=["sw"], kinds=["full_date"], **SMALL).pairs().values() for pair in split
    )
    assert all(target.split(",")[0].startswith(("Juma", "Alhamisi", "Ijumaa")) for target in pairs.values())
    from datetime import date

    from babel.dates import format_date

    source, target = next(iter(pairs.items()))
    import re

    year = int(re.findall(r"\d{4}", source)[0])
    days = [date.fromordinal(date(year, 1, 1).toordinal() + i) for i in range(365)]
    (day,) = [d for d in days if f"<sw> {format_date(d, 'full', locale='en')}" == source]
    assert format_date(day, "full", locale="sw") == target


@pytest.mark.parametrize("sizes", [SMALL, {}])
@pytest.mark.parametrize("holdout", ["values", "patterns"])
def test_no_english_text_of_the_test_stands_in_training(holdout: Any, sizes: dict[str, int]) -> None:
    splits = CLDR(holdout=holdout, **sizes).pairs()
    train, val, test = ({source.split(" ", 1)[1] for source, _ in splits[name]} for name in ("train", "val", "test"))
    assert not train & test and not train & val and len(splits["test"]) == sizes.get("test_size", 1000)


def test_every_language_and_kind_is_there() -> None:
    sources = [source for source, _ in CLDR(**SMALL).pairs()["train"]]
    assert {source.split()[0] for source in sources} == {
        f"<{tag}>" for tag in ("sw", "yo", "ha", "ig", "zu", "am", "fr")
    }
    for sign in ("AM", "kilometers", "shillings", "Monday, "):
        assert any(sign in source for source in sources), sign


def test_held_out_patterns_are_new_to_their_language_alone() -> None:
    data = CLDR(languages=["sw", "fr"], kinds=["full_date", "time"], holdout="patterns", **SMALL)
    splits = data.pairs()

    def kinds(name: str) -> set[tuple[str, bool]]:
        return {(source.split()[0], source.endswith("M")) for source, _ in splits[name]}

    assert kinds("train") == {("<sw>", True), ("<fr>", False)} and kinds("test") == {("<sw>", False), ("<fr>", True)}


@pytest.mark.parametrize("sizes", [SMALL, {}])
def test_territories_of_the_test_are_new_in_any_language(sizes: dict[str, int]) -> None:
    splits = CLDR(kinds=["territory"], **sizes).pairs()
    train, val, test = ({source.split(" ", 1)[1] for source, _ in splits[name]} for name in ("train", "val", "test"))
    assert not train & test and not train & val and not val & test
    assert len(splits["train"]) > 300 and len(val) >= 20 and len(test) >= 20


def test_tokens_lose_nothing() -> None:
    data = CLDR(**SMALL)
    data.setup("fit")
    assert data.decode_target(data.splits["train"][3])[:50] == data.references["train"][:50]


def test_unknown_languages_and_kinds_are_named() -> None:
    with pytest.raises(UserError, match="no language 'xx'"):
        CLDR(languages=["xx"], **SMALL).pairs()
    with pytest.raises(UserError, match="'poem'"):
        CLDR(kinds=["poem"])
