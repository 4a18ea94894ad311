"""Muon: the battery; orthogonal directions; vectors by AdamW."""

from functools import partial

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.optimization.adam import AdamW
from lit_models.optimization.muon import Muon, orthogonal
from tests.lit_models.optimization.battery import OptimizerBattery


class TestMuon(OptimizerBattery):
    make = partial(Muon, lr=0.02)
    bad = [{"lr": -0.1}, {"rest_lr": -0.1}, {"momentum": 1.0}, {"betas": (0.9, 1.0)}]

    def test_numbers_out_of_range_are_refused_in_one_line(self) -> None:
        for arguments in self.bad:
            with pytest.raises(UserError, match="give"):
                Muon(nn.Linear(2, 2).parameters(), **arguments)


@pytest.mark.parametrize("shape", [(6, 4), (4, 9), (5, 5)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, dtype=torch.float64)
    found = orthogonal(matrix, iterations=8)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ found @ v.T
    assert float((inner - inner.diagonal().diag()).abs().max()) < 1e-9
    assert bool(((inner.diagonal() > 0.6) & (inner.diagonal() < 1.3)).all())


def test_vectors_alone_are_refused() -> None:
    with pytest.raises(UserError, match="none of the parameters is a matrix"):
        Muon([nn.Parameter(torch.ones(3))])


def test_vectors_move_as_by_adamw() -> None:
    ends = []
    for make in (partial(Muon, rest_lr=0.1), partial(AdamW, lr=0.1, weight_decay=0.0)):
        torch.manual_seed(0)
        layer = nn.Linear(3, 2)
        for p in layer.parameters():
            p.grad = torch.ones_like(p)
        make(layer.parameters()).step()
        ends.append(layer.bias.detach())
    torch.testing.assert_close(*ends)


def test_kernels_of_a_convolution_are_one_matrix() -> None:
    layer = nn.Conv2d(3, 4, 2, bias=False)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.randn_like(before)
    expected = orthogonal(layer.weight.grad.flatten(1))
    Muon(layer.parameters(), lr=0.5, momentum=0.0).step()
    torch.testing.assert_close((before - layer.weight.detach()).flatten(1), 0.5 * expected)
