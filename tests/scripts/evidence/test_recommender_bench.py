"""``dive bench recommender`` and ``growth``: the sides do the same work, the two rankings have the same hits."""

from typing import Any

import pytest
import torch

from scripts.evidence.benches import growth, recommender
from scripts.evidence.benches.page import table
from scripts.evidence.benches.recommender_page import growth as growth_section
from scripts.evidence.benches.workloads import Clock

SMALL = {"USERS": 40, "ITEMS": 60, "RATINGS": 600, "BATCH": 32, "RANKED": 8, "TOP": 10, "FACTORS": 4}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(recommender, name, value)
    for made in (recommender.pairs, recommender.ranked):
        made.cache_clear()


@pytest.mark.parametrize("side", ["bare", "d2l", "ours"])
def test_every_side_trains_whole_batches(side: str) -> None:
    recommender.SIDES["mf"][side](clock := Clock(4, 1))
    assert clock.count == 5 and clock.samples == 4 * 32


def test_both_rankings_have_the_same_hits_and_some() -> None:
    hits = [side(Clock(4, 1)) for side in recommender.SIDES["ranking"].values()]
    assert hits[0] == hits[1] and 0 < hits[0] < 40


def test_sweeps_are_implicits_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of sweeps, and a better fit with each: the time is that of work that is done."""
    clocks = {name: Clock(2, 1) for name in recommender.SIDES["als"]}
    for name, side in recommender.SIDES["als"].items():
        side(clocks[name])
    assert {clock.count for clock in clocks.values()} == {3}


def test_growth_is_measured_and_becomes_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "RANKED", 8)
    found = growth.one(4000, 60, 50, steps=3)
    assert found["trained"] > 0 and found["ranked"] > 0 and found["mib"] > 100
    row: Any = found | {name: [found[name]] for name in ("loading", "trained", "epoch", "ranked", "mib")}
    assert "| 4,000 | 60 | 50 |" in growth_section([row], table)


def test_pairs_are_each_there_once_and_some_films_are_popular() -> None:
    key = recommender.pairs(300, 200, 9000)
    assert len(key.unique()) == len(key) and bool((key.diff() > 0).all())
    counts = (key % 200).bincount(minlength=200).sort(descending=True).values.float()
    assert counts[:20].sum() > 3 * counts[-20:].sum() and torch.equal(key, recommender.pairs(300, 200, 9000))
