"""Adam, AdamW and Yogi: the battery; bias correction, decay, and how second moments fall."""

from functools import partial

import pytest
import torch
from torch import nn

from lit_models.optimization.adam import Adam, AdamW, Yogi
from tests.lit_models.optimization.battery import OptimizerBattery


class TestAdam(OptimizerBattery):
    make = partial(Adam, lr=0.02, amsgrad=True)
    bad = [{"lr": -0.1}, {"betas": (0.9, 1.0)}, {"betas": (-0.1, 0.9)}, {"eps": -1.0}, {"weight_decay": -0.1}]


class TestAdamW(OptimizerBattery):
    make = partial(AdamW, lr=0.02)


class TestYogi(OptimizerBattery):
    make = partial(Yogi, lr=0.02)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_first_step_is_the_rate_whatever_the_gradient(scale: float) -> None:
    p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    p.grad = torch.tensor([scale], dtype=torch.float64)
    Adam([p], lr=0.25).step()
    assert p.item() == pytest.approx(-0.25, rel=1e-4)


def test_decay_apart_from_the_gradient_is_the_same_for_all_weights() -> None:
    p = nn.Parameter(torch.ones(2, dtype=torch.float64))
    p.grad = torch.zeros(2, dtype=torch.float64)
    AdamW([p], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(p.detach(), torch.full((2,), 0.95, dtype=torch.float64))


def test_yogis_second_moment_falls_slowly() -> None:
    moments = []
    for kind in (Adam, Yogi):
        p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = kind([p], betas=(0.9, 0.9))
        for gradient in (*[10.0] * 30, *[0.01] * 10):
            p.grad = torch.tensor([gradient], dtype=torch.float64)
            optimizer.step()
        moments.append(optimizer.state[p]["square"].item())
    assert moments[0] < 40 and moments[1] > 90
