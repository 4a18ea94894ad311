"""Factorization machines: the battery, and the sum over pairs."""

from itertools import combinations

import torch
from torch import Tensor

from lit_models.recommender.fm import FM, LitFM, pair_products
from tests.battery import ADAM, TaskBattery


class TestLitFM(TaskBattery):
    parameters = 1 + 20 + 20 * 3

    def model(self) -> LitFM:
        return LitFM(num_values=20, num_fields=4, embed_size=3, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.arange(8)[:, None] % torch.tensor([2, 3, 5, 5]) + torch.tensor([0, 4, 8, 14])
        return x, torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1])


def test_sum_over_pairs_is_that_of_a_loop() -> None:
    v = torch.randn(5, 6, 3, dtype=torch.float64)
    expected = sum((v[:, f] * v[:, g]).sum(1) for f, g in combinations(range(6), 2))
    torch.testing.assert_close(pair_products(v), expected)


def test_without_vectors_it_is_logistic_regression() -> None:
    net = FM(5, embed_size=0)
    torch.nn.init.normal_(net.weight.weight)
    x = torch.tensor([[0, 3]])
    torch.testing.assert_close(net(x), net.weight.weight[0] + net.weight.weight[3])
