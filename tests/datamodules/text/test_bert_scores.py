"""Pairs of descriptions and their scores."""

import pytest
import torch

from datamodules.text.bert_scores import SceneScores, score

SCENE = {"size": "small", "color": "brown", "noun": "dog", "verb": "runs", "place": "outside"}


def test_a_score_counts_equal_parts_and_a_half_for_the_same_kind() -> None:
    assert score(SCENE, SCENE) == 5
    assert score(SCENE, SCENE | {"noun": "cat", "color": "white"}) == 3.5
    assert score(SCENE, SCENE | {"noun": "girl", "verb": "sleeps", "place": "today"}) == 2
    assert score(SCENE, SCENE | {"verb": "rises"}) == 4.5


def test_scores_have_their_whole_range_and_first_descriptions_are_of_one_part() -> None:
    found = SceneScores(train_size=1500, val_size=50, test_size=200).read("fit")
    y = found["train"][2]
    assert y is not None and float(y.min()) <= 0.5 and float(y.max()) == 5 and float(y.std()) > 1

    def words(texts: object) -> set[frozenset[str]]:
        return {frozenset(text.split()) for text in texts}  # type: ignore[attr-defined]

    assert not words(found["train"][0]) & words(found["test"][0])


def test_mean_and_deviation_are_of_training_and_the_baseline_is_the_mean() -> None:
    data = SceneScores(train_size=200, val_size=20, test_size=50)
    data.setup("fit")
    y, test = data.splits["train"][1], data.splits["test"][1]
    assert y.is_floating_point() and data.target_mean == pytest.approx(float(y.mean()))
    metrics = data.baselines()["chance"]["metrics"]
    assert metrics["test/rmse"] == pytest.approx(float((test - y.mean()).square().mean().sqrt()), rel=1e-5)
    assert metrics["test/r2"] <= 0.01 and isinstance(metrics["test/loss"], float)
    assert torch.equal(data.splits["predict"][0], data.splits["test"][0])
