"""Wrappers: the inner optimizer and the wrapper have one state and one list of groups, also after a load."""

from functools import partial

import pytest
import torch
from torch import nn

from lit_models.optimization.averaging import PolyakAverage
from lit_models.optimization.lookahead import Lookahead
from lit_models.optimization.sam import SAM
from tests.lit_models.optimization.battery import Problem


@pytest.mark.parametrize("kind", [Lookahead, SAM])
def test_a_schedule_reaches_the_inner_optimizer_after_a_load_too(kind: type) -> None:
    problem = Problem()
    base = partial(torch.optim.Adam, lr=0.1)
    optimizer = kind(problem.net.parameters(), base=base)
    problem.train(optimizer, 2)
    again = kind(problem.net.parameters(), base=base)
    again.load_state_dict(optimizer.state_dict())
    for group in again.param_groups:
        group["lr"] = 0.0
    before = problem.weights()
    problem.train(again, 2)  # Lookahead's fifth would move them to the slow ones
    assert torch.equal(before, problem.weights())
    assert again.inner.state is again.state and again.param_groups[0]["betas"] == (0.9, 0.999)


@pytest.mark.parametrize("kind", [Lookahead, PolyakAverage, SAM])
def test_a_parameter_may_have_its_first_gradient_later(kind: type) -> None:
    """Adam makes its state where a parameter has none: what a wrapper keeps is none of Adam's."""
    early, late = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = kind([early, late], base=partial(torch.optim.Adam, lr=0.1))
    for step in range(3):

        def closure(late_too: bool = step > 0) -> torch.Tensor:
            optimizer.zero_grad()
            loss = early.square().sum() + (late.square().sum() if late_too else 0)
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(closure)
    assert float(optimizer.state[late]["step"]) == 2 and float(optimizer.state[early]["step"]) == 3
    assert optimizer.kept <= optimizer.state[late].keys() | {"trained"}
