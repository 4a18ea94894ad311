"""ALiBi's slopes and its bias."""

import torch

from lit_models.long_context.alibi import alibi_bias, alibi_slopes


def test_slopes_of_a_power_of_two_are_a_geometric_series() -> None:
    assert alibi_slopes(8).tolist() == [2.0**-n for n in range(1, 9)]


def test_other_numbers_of_heads_take_every_second_slope_of_the_next_power() -> None:
    assert alibi_slopes(6).tolist() == [*alibi_slopes(4).tolist(), *alibi_slopes(8)[:4:2].tolist()]


def test_the_bias_falls_with_the_distance() -> None:
    bias = alibi_bias(torch.tensor([0.5, 0.25]), torch.tensor([[0, -1], [3, 0]]))
    assert bias.tolist() == [[[0, 0.5], [-1.5, 0]], [[0, 0.25], [-0.75, 0]]]
