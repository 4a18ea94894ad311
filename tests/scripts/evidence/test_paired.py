"""``dive paired``: the test finds what differs and nothing else, rows stay, tables have the ceiling."""

from pathlib import Path

import numpy as np
import pytest

from common.messages import UserError
from scripts.evidence import paired

NAMES = ("recommender/popularity", "recommender/item_knn", "recommender/ease")


def ranks(better: float, seed: int, people: int = 400) -> np.ndarray:
    """Ranks of 1 to 50, of a fraction of the people a better one; the people are the same for each seed."""
    draw = np.random.default_rng(0)
    plain = draw.integers(1, 51, people)
    helped = np.random.default_rng(seed + 1).random(people) < better
    return np.where(helped, (plain + 1) // 2, plain)


def test_a_paired_test_finds_a_difference_that_an_unpaired_one_could_not() -> None:
    one, other = paired.gains(ranks(0.3, 0)), paired.gains(ranks(0.0, 0))
    difference, low, high, p = paired.compared(one, other, draws=999)
    assert 0 < low < difference < high and p < 0.01
    apart = 1.96 * np.sqrt((one.var() + other.var()) / len(one))
    assert difference < apart  # two independent samples of this size would show nothing


def test_without_a_difference_p_is_uniform() -> None:
    draw = np.random.default_rng(2)
    values = [paired.compared(draw.random(60), draw.random(60), draws=199)[3] for _ in range(60)]
    assert 0.3 < np.mean(values) < 0.7 and np.mean([p < 0.1 for p in values]) < 0.25
    assert paired.compared(np.ones(5), np.ones(5))[3] == 1.0


def test_holms_values_never_fall_and_are_the_smallest_times_the_number() -> None:
    assert paired.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert paired.holm([0.9, 0.8]) == [1.0, 1.0]


def test_gains_are_those_of_the_ranks() -> None:
    assert paired.gains(np.array([1, 2, 10, 11])) == pytest.approx([1, 1 / np.log2(3), 1 / np.log2(11), 0])


def test_the_tables_have_the_ceiling_and_are_between_their_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paired, "ROWS", tmp_path / "ranks.csv")
    for k, name in enumerate(NAMES):
        for seed in (0, 1, 2):
            paired.append(name, seed, ranks(0.4 * k, seed))
    paired.append(paired.CEILING, 0, ranks(1.0, 0))
    monkeypatch.setattr(paired, "DRAWS", 99)
    page = tmp_path / "page.md"
    page.write_text("".join(f"a\n<!--paired {name}-->\nold\n<!--/paired-->\nb\n" for name in paired.TABLES))
    paired.render(page)
    lines = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in lines] == list(NAMES[::-1])
    assert "| 3 | 0." in lines[0] and "%" in lines[0] and "**" in lines[0] and "| the ceiling" in page.read_text()
    assert "\nold\n" not in page.read_text() and "Not run: `dive paired` with recipes of movielens" in page.read_text()
    page.write_text("nothing")
    with pytest.raises(UserError, match="has no <!--paired generated-->"):
        paired.render(page)


def test_what_is_no_ranking_is_refused() -> None:
    assert "recommender/sasrec" in paired.ranking_recipes() and "recommender/mf" not in paired.ranking_recipes()
    with pytest.raises(UserError, match="recommender/mf is not a measured ranking"):
        paired.main(["recommender/mf"])


@pytest.mark.slow
def test_rows_are_measured_once_and_agree_with_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Popularity is the same for each seed: the mean over people is the number of RESULTS.md."""
    monkeypatch.setattr(paired, "ROWS", tmp_path / "ranks.csv")
    paired.measure([NAMES[0]], [0])
    monkeypatch.setattr(paired, "dive", None)  # nothing more is run
    paired.measure([NAMES[0]], [0])
    found = paired.read_ranks()
    stored = paired.read_topic(paired.ROOT / "results", "recommender")[NAMES[0]]["metrics"]["test/ndcg@10"]
    assert paired.gains(found[NAMES[0], 0]).mean() == pytest.approx(stored["mean"], abs=1e-6)
    assert paired.gains(found[paired.CEILING, 0]).mean() > 2 * stored["mean"]
