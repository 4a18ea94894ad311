"""The test functions have their minima where the literature has them."""

import pytest
import torch

from lit_models.gp.objectives import BRANIN_MINIMUM, HARTMANN_MINIMUM, branin, hartmann6


def test_branin_has_three_minima_of_the_same_value() -> None:
    places = torch.tensor([[-3.14159265, 12.275], [3.14159265, 2.275], [9.42478, 2.475]]).double()
    unit = (places + torch.tensor([5.0, 0.0])) / 15
    assert branin(unit).tolist() == pytest.approx([BRANIN_MINIMUM] * 3, abs=1e-5)
    grid = torch.cartesian_prod(torch.linspace(0, 1, 300), torch.linspace(0, 1, 300)).double()
    assert BRANIN_MINIMUM - 1e-6 < float(branin(grid).min()) < BRANIN_MINIMUM + 0.01


def test_hartmann_has_its_minimum() -> None:
    place = torch.tensor([[0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]]).double()
    assert float(hartmann6(place)) == pytest.approx(HARTMANN_MINIMUM, abs=1e-4)
    assert float(hartmann6(torch.rand(10_000, 6).double()).min()) > HARTMANN_MINIMUM
