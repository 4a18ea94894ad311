"""The baselines of translation."""

from datamodules.parallel_text.nearest import copy_and_nearest, text_metrics


def test_nearest_source_gives_its_target() -> None:
    sources = {"train": ["one red house", "two blue cars"], "test": ["one red horse", "two blue cats"]}
    references = {"train": ["a", "b"], "test": ["a", "b"]}
    found = copy_and_nearest(sources, references)
    assert found["baseline"]["metrics"]["test/exact"] == 1.0 and found["chance"]["metrics"]["test/exact"] == 0.0


def test_exact_means_an_exact_match() -> None:
    found = text_metrics(["the cat sat down", "No"], ["the cat sat down", "no"])
    assert found["test/exact"] == 0.5
