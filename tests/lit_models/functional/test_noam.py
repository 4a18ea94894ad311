"""The schedule of the transformer's learning rate."""

import math

import torch

from lit_models.functional.noam import NoamLR


def rates(steps: int, warmup: int = 10, hidden: int = 64) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule, found = NoamLR(optimizer, hidden, warmup), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_rises_in_a_straight_line_then_falls_with_the_root() -> None:
    found = rates(40)
    assert max(found) == found[9]  # step 10
    assert math.isclose(found[4], found[9] / 2)
    assert math.isclose(found[39], found[9] / 2)  # four times the steps, half the rate


def test_is_the_papers_formula_times_the_rate() -> None:
    n, hidden, warmup = 7, 64, 10
    assert math.isclose(rates(7)[-1], 2.0 * hidden**-0.5 * min(n**-0.5, n * warmup**-1.5))
