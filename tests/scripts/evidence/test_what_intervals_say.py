"""Intervals and p-values say what they are about: single runs, common seeds, folds that share rows, many cells."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from scripts.evidence import paired, scaling, study_page
from scripts.evidence.pages import fill_references
from scripts.evidence.scaling_law import BOUNDS, Law, at_bound, interval, run_interval

LAW = Law(a=400.0, b=2000.0, e=1.7, alpha=0.4, beta=0.45)


def test_the_interval_of_a_single_run_has_the_noise_of_single_runs() -> None:
    sizes = [(n, d) for n in (1e4, 1e5, 1e6) for d in (1e5, 1e6, 1e7)]
    noise = 0.05 * np.array([-1, 1, -1, 1, 0, 1, -1, 1, -1])
    rows = [(n, d, LAW.loss(n, d) * math.exp(e)) for (n, d), e in zip(sizes, noise, strict=True)]
    laws, at = [LAW, LAW._replace(e=1.701)], (1e7, 1e7)
    low, high = interval(laws, *at)
    assert high - low < 0.002
    low, high = run_interval(rows, LAW, laws, *at)
    grown = 0.05 * (9 / 4) ** 0.5  # five of nine numbers were fitted
    assert low == pytest.approx(LAW.loss(*at) * math.exp(-grown), rel=1e-3)
    assert high == pytest.approx(LAW.loss(*at) * math.exp(grown), rel=1e-3)


def test_a_number_at_its_bound_is_named_on_the_page() -> None:
    assert at_bound(LAW) == [] and set(BOUNDS) == set(Law._fields)
    assert at_bound(LAW._replace(alpha=3.0, e=math.exp(-10))) == ["e", "alpha"]
    told = scaling.bounds_sentence({"at_bound": ["e"], "bootstrap_at_bound": {"e": 0.39, "alpha": 0.17}})
    assert told.endswith("of the bootstrap's fits E in 39%, alpha in 17%. In the law above: E.")
    assert scaling.bounds_sentence({"at_bound": [], "bootstrap_at_bound": {}}) == ""


def test_the_page_sets_the_measured_run_against_the_interval_of_runs() -> None:
    text = scaling.table()
    assert "3.748 to 4.677 for a single run (the law's mean: 3.844 to 4.582)" in text and "alpha in 17%" in text


def ranks(best: int, people: int = 60) -> np.ndarray:
    return np.where(np.arange(people) % 3 == 0, 30, best)


def test_a_pair_is_compared_over_the_seeds_that_both_have_and_one_seed_is_never_bold() -> None:
    found = {("recommender/ease", 0): ranks(1), ("recommender/ease", 1): ranks(20), ("recommender/als", 0): ranks(9)}
    found[("recommender/als", 5)] = ranks(40)
    found[("recommender/popularity", 7)] = ranks(50)
    lines = paired.table("generated", found, draws=99).splitlines()
    gain = (paired.gains(ranks(1)) - paired.gains(ranks(9))).mean()
    assert f"| {gain:.4f} (" in lines[2] and "| 1 |" in lines[2] and "**" not in lines[2]
    assert lines[3].endswith("| - | 0 | - |")  # ALS and popularity have no common seed
    assert "never bold" in lines[-1] and "another training" in lines[-1]
    for seed in (0, 1, 2):
        found |= {("recommender/ease", seed): ranks(1), ("recommender/als", seed): ranks(9)}
    assert "| 3 | **" in paired.table("generated", found, draws=99).splitlines()[2]


def test_short_names_are_whole_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(paired, "measure", lambda recipes, seeds: asked.append((recipes, seeds)))
    monkeypatch.setattr(paired, "render", lambda: None)
    assert paired.main(["sasrec", "--seeds", "1"]) == 0
    assert asked == [(["recommender/sasrec"], [1])]


def test_folds_that_share_rows_have_a_wider_interval_than_separate_draws() -> None:
    own, other = [0.9, 0.8, 0.95, 0.85], [0.5, 0.45, 0.6, 0.4]
    folds = [[{"test/acc": value} for value in values] for values in (own, other)]
    result = {"a/b": {"runs": [{"seed": 0, "folds": folds[0]}], "ablation": {"folds": folds[1]}}}
    spread = np.std(np.subtract(own, other), ddof=1) * t.ppf(0.975, 3)
    for kind, factor in (("draw_gain", 1 / 4), ("gain", 1 / 4 + 1 / 3)):
        filled = fill_references(f"<!--a/b test/acc {kind}-->?<!---->", result)
        assert f"± {spread * factor**0.5:.4f}<!---->" in filled
    assert "-->-<!--" in fill_references("<!--a/b test/f1 gain-->?<!---->", result)


def test_the_study_says_how_many_bold_cells_are_chance() -> None:
    rows = [
        {"network": "lenet", "method": name, "seed": seed, "seconds": 1.0, **dict.fromkeys(study_page.METRICS, 0.5)}
        | {"test_acc": 0.5 + (name == "l1") * (0.1 + seed / 100), "nll": 0.5 + (name == "l1") * (seed - 0.5)}
        for name in ("none", "l1")
        for seed in (0, 1)
    ]
    last = study_page.table(rows).splitlines()[-1]
    assert last.startswith("The 2 intervals are not corrected for their number") and "0.1, would be bold" in last
    assert "by chance. Bold here: 1." in last
