"""The n-gram model of labels."""

import numpy as np
import pytest

from lit_models.functional.character_ngram import CharacterNgram

TEXTS = [[1, 2, 3], [1, 2], [1, 2, 1]]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_what_follows_a_context_adds_up_to_one(order: int) -> None:
    model = CharacterNgram.learn(TEXTS, num_labels=4, order=order)
    assert model.table.shape == (4,) * order
    np.testing.assert_allclose(np.exp(model.table).sum(-1), 1)


def test_counts_are_smoothed_by_the_lower_order() -> None:
    """p(2 | 1) by hand: 1 is followed by 2 three times of four; 2 is 3 of all 11 labels with the three ends."""
    model = CharacterNgram.learn(TEXTS, num_labels=4, order=2, k=1.0)
    single = (3 + 1 / 4) / (11 + 1)
    assert np.exp(model.table[1, 2]) == pytest.approx((3 + single) / (4 + 1))


def test_a_text_is_scored_from_its_beginning_to_its_end() -> None:
    model = CharacterNgram.learn(TEXTS, num_labels=4, order=3)
    by_hand = model.table[0, 0, 1] + model.table[0, 1, 2] + model.table[1, 2, 0]
    assert model.log_p([1, 2]) == pytest.approx(by_hand)
    assert model.log_p([1, 2]) > model.log_p([2, 1])
