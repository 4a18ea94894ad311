"""Recurrent networks: every side takes the same steps, and clips as the book does."""

import pytest
import torch
from torch import nn

from scripts.evidence import bench
from scripts.evidence.benches import recurrent
from scripts.evidence.benches.workloads import Clock
from tests.scripts.evidence.witness import Witness


@pytest.mark.parametrize("side", recurrent.SIDES)
def test_recurrent_sides_take_the_same_steps(side: str, witness: Witness) -> None:
    clock = Clock(steps=10, warmup=1)
    with bench.quiet():
        recurrent.SIDES[side]("gru", clock)
    assert witness.steps == clock.count == 11
    assert clock.samples == recurrent.WINDOWS  # an epoch's last batch is smaller
    (group,) = witness.optimizers[-1].param_groups
    assert sum(p.numel() for p in group["params"]) == 3 * 32 * (28 + 32 + 2) + 28 * 33
    assert group["lr"] == 4.0


def test_clipping_by_the_book_is_clipping_of_the_norm() -> None:
    net = nn.Linear(3, 3)
    for scale in (10.0, 0.01):
        torch.manual_seed(0)
        net.zero_grad()
        (net(torch.randn(4, 3)).pow(2).sum() * scale).backward()
        wanted = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        recurrent.clip_by_the_book(net)
        found = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        for p, gradient in zip(net.parameters(), wanted, strict=True):
            p.grad = gradient
        nn.utils.clip_grad_norm_(net.parameters(), recurrent.CLIP)
        for p, gradient in zip(net.parameters(), found, strict=True):
            torch.testing.assert_close(gradient, p.grad)
