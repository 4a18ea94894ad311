"""The surfaces: their minima are minima, and D2L's numbers of descents on them."""

import pytest
import torch

from lit_models.optimization.sgd import SGD
from lit_models.optimization.surfaces import SURFACES


@pytest.mark.parametrize("name", SURFACES)
def test_minima_are_flat_equally_low_and_lower_than_all_else_in_the_picture(name: str) -> None:
    surface = SURFACES[name]
    places = torch.tensor(surface.minima, dtype=torch.float64, requires_grad=True)
    heights = surface.function(places)
    torch.testing.assert_close(heights, torch.full_like(heights, surface.lowest), atol=1e-9, rtol=0)
    (slope,) = torch.autograd.grad(heights.sum(), places)
    assert float(slope.abs().max()) < 1e-4
    axes = [torch.linspace(low, high, 201, dtype=torch.float64) for low, high in surface.limits]
    grid = torch.cartesian_prod(*axes).view(-1, len(axes))
    assert float(surface.function(grid).min()) >= surface.lowest - 1e-9


def descended(name: str, start: list[float], steps: int, **settings: float) -> torch.Tensor:
    p = torch.tensor(start, requires_grad=True)
    optimizer = SGD([p], **settings)
    for _ in range(steps):
        optimizer.zero_grad()
        SURFACES[name].function(p[None]).sum().backward()
        optimizer.step()
    return p.detach()


def test_the_books_descents_of_chapter_12() -> None:
    assert float(descended("square", [10.0], 10, lr=0.2)) == pytest.approx(10 * 0.6**10, rel=1e-5)  # 12.3.1: 0.060
    assert float(descended("narrow_bowl", [-5.0, -2.0], 20, lr=0.6)[1]) == pytest.approx(-1673.365, rel=1e-5)  # 12.6.1
    assert float(descended("narrow_bowl", [-5.0, -2.0], 20, lr=0.6, momentum=0.5).norm()) < 0.01
