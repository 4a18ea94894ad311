"""AdaGrad: the battery; sparse rows as dense ones; the book's epsilon."""

from functools import partial

import torch
from torch import nn

from lit_models.optimization.adagrad import AdaGrad
from tests.lit_models.optimization.battery import OptimizerBattery


class TestAdaGrad(OptimizerBattery):
    make = partial(AdaGrad, lr=0.3)
    bad = [{"lr": -0.1}, {"lr_decay": -1.0}, {"eps": -1e-3}, {"initial_accumulator_value": -1.0}]
    dense_only = False


def test_sparse_rows_move_as_torchs() -> None:
    tables = []
    for kind in (AdaGrad, torch.optim.Adagrad):
        torch.manual_seed(1)
        table = nn.Embedding(6, 3, sparse=True)
        optimizer = kind(table.parameters(), lr=0.5, lr_decay=0.1)
        for rows in ([1, 3, 3], [3, 5], [1]):
            optimizer.zero_grad()
            table(torch.tensor(rows)).square().sum().backward()
            optimizer.step()
        tables.append(table.weight.detach())
    torch.testing.assert_close(*tables)


def test_the_books_epsilon_is_inside_the_root() -> None:
    p = nn.Parameter(torch.zeros(1))
    p.grad = torch.tensor([0.3])
    AdaGrad([p], lr=0.1, eps=0.16, eps_inside=True).step()
    assert abs(p.item() + 0.1 * 0.3 / (0.09 + 0.16) ** 0.5) < 1e-7
