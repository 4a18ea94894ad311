"""The needle's picture: what is counted where."""

import torch

from callbacks.pictures.needle_map import draw_needles, needle_counts


def test_answers_are_counted_by_length_and_depth() -> None:
    tokens, targets = torch.zeros(2, 8, dtype=torch.long), torch.full((2, 8), -1)
    tokens[0, 1], tokens[1, 3] = 5, 6  # depths 1/8 of eight tokens and 3/4 of four
    targets[0, 7], targets[1, 3] = 5, 6
    predicted = torch.full((2, 8), 5)
    found = needle_counts(tokens, targets, predicted, 4)
    assert found["asked"].nonzero().tolist() == [[2, 3], [3, 0]]
    assert found["right"].nonzero().tolist() == [[3, 0]]


def test_lengths_beyond_training_are_marked() -> None:
    asked = torch.zeros(24, 2)
    asked[3:6] = 1
    ax = draw_needles(asked / 2, asked, 8).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["8", "16*", "32*"]
    assert {t.get_text() for t in ax.texts} == {"0.50"}
