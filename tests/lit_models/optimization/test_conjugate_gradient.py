"""Conjugate gradients: the battery of both formulas; as many steps as parameters on a quadratic."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.optimization.conjugate_gradient import ConjugateGradient
from tests.lit_models.optimization.battery import ClosureBattery


class TestPolakRibiere(ClosureBattery):
    make = ConjugateGradient


class TestFletcherReeves(ClosureBattery):
    make = partial(ConjugateGradient, method="fletcher_reeves")


@pytest.mark.parametrize("method", ["polak_ribiere", "fletcher_reeves"])
def test_four_nearly_exact_steps_reach_the_minimum_in_four_dimensions(method: str) -> None:
    scales = torch.tensor([1.0, 5.0, 20.0, 60.0], dtype=torch.float64)
    p = nn.Parameter(torch.ones(4, dtype=torch.float64))
    optimizer = ConjugateGradient([p], method=method, curvature=1e-7)  # type: ignore[arg-type]

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (scales * p * p).sum() / 2
        loss.backward()
        return loss.detach()

    for _ in range(4):
        optimizer.step(closure)
    assert float(closure()) < 1e-10


def test_another_formula_is_refused() -> None:
    with pytest.raises(UserError, match="method is 'newton'"):
        ConjugateGradient([nn.Parameter(torch.ones(1))], method="newton")  # type: ignore[arg-type]
