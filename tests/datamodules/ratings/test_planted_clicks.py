"""Generated clicks: products matter, and the ceiling is above what is linear."""

from datamodules.ratings.planted_clicks import PlantedClicks


def test_the_ceiling_is_far_above_a_linear_model() -> None:
    data = PlantedClicks(num_rows=4000)
    data.setup("fit")
    data.setup("test")
    found = data.baselines()
    linear, ceiling = (found[name]["metrics"]["test/auc"] for name in ("baseline", "ceiling"))
    assert 0.5 < linear < ceiling - 0.1 and found["ceiling"]["metrics"]["test/loss"] < 0.6
    assert sum(1 + len(v) for v in data.known.values()) <= data.num_values


def test_rows_are_always_the_same() -> None:
    one, two = PlantedClicks(num_rows=50).table(), PlantedClicks(num_rows=50).table()
    assert one[0].equals(two[0]) and (one[1] == two[1]).all()
