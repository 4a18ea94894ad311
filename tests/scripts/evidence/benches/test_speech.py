"""The bench of speech: all sides run, and the stream is heard before and after the long part."""

import pytest

from scripts.evidence.benches import speech


def test_the_goals_name_sides_that_exist() -> None:
    named = {(goal.workload, goal.against) for goal in speech.PART.goals}
    assert named == {("speech", "bare"), ("streaming", "real time"), ("streaming", "early")}


@pytest.mark.slow
def test_all_sides_are_measured() -> None:
    rows = speech.measure(1, 1, lambda line: None, steps=2, hour=20.0, listen=2.0)
    found = {(row["workload"], row["side"]) for row in rows}
    assert {("CTC", "ours"), ("CTC", "torch"), ("speech", "ours"), ("speech", "bare")} <= found
    assert {("streaming", side) for side in ("ours", "early", "real time")} <= found
    assert all(row["rates"][0] > 0 for row in rows)
