"""The bench of searches: trials that ask and tell, and a search beside its trainings."""

import pytest

from scripts.evidence.benches import tuning


@pytest.mark.slow
def test_a_search_is_measured_beside_its_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BEFORE": 18, "TRIALS": 5, "EPOCHS": 1, "CONFIGURATIONS": 2}.items():
        monkeypatch.setattr(tuning, name, value)
    rows = tuning.measure(1, 1, lambda line: None)
    assert [(row["workload"].split(",")[0], row["side"]) for row in rows] == [
        *[("asking and telling", "ours"), ("asking and telling", "early")] * 2,
        *[("a search", "ours"), ("a search", "bare")],
    ]
    (ours,), (bare,) = rows[-2]["rates"], rows[-1]["rates"]
    assert 0 < ours < bare and rows[-1]["samples"] == 2
