"""Perplexity by place: sums become means of groups."""

import torch

from callbacks.pictures.loss_by_place import by_place


def test_a_group_is_exp_of_the_mean_over_its_tokens() -> None:
    ends, perplexity = by_place(torch.tensor([1.0, 3.0, 4.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 4.0, 0.0, 0.0]), 2)
    assert ends.tolist() == [2, 4]  # the last place has no token
    torch.testing.assert_close(perplexity, torch.tensor([2.0, 1.0]).exp().double())
