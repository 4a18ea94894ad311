"""Planted preferences: upwards is chosen, some are turned around, the start has learned both."""

import pytest
import torch

from common.messages import UserError
from datamodules.text.preferences import Preferences

SIZES = {"train_size": 100, "val_size": 10, "test_size": 10, "demonstration_size": 60}


def texts(data: Preferences, targets: torch.Tensor) -> list[str]:
    assert data.tokenizer is not None
    return [data.tokenizer.decode([i for i in row if i >= 0]).removesuffix("<end>") for row in targets.tolist()]


def test_the_preferred_answer_is_sorted_upwards_but_for_the_flipped_training_pairs() -> None:
    data = Preferences(flipped=0.25, **SIZES)  # type: ignore[arg-type]
    data.setup("fit")
    data.setup("test")
    for split, low, high in (("train", 0.6, 0.9), ("test", 1.0, 1.0)):
        chosen, rejected = (texts(data, data.splits[split][i]) for i in (1, 3))
        assert all(a == b[::-1] for a, b in zip(chosen, rejected, strict=True))
        assert low <= sum(a == "".join(sorted(a)) for a in chosen) / len(chosen) <= high
    assert data.demonstrations is not None
    shown = texts(data, data.demonstrations[1])
    assert 0.3 < sum(a == "".join(sorted(a)) for a in shown) / 60 < 0.7


def test_a_fraction_and_a_length_out_of_range_and_too_many_questions_are_one_line_each() -> None:
    with pytest.raises(UserError, match=r"data.flipped is 2"):
        Preferences(flipped=2)
    with pytest.raises(UserError, match=r"data.length is 1"):
        Preferences(length=1)
    with pytest.raises(UserError, match="fewer than 180 questions"):
        Preferences(length=2, **SIZES).setup("fit")  # type: ignore[arg-type]
