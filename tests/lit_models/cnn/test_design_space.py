"""The study of a design space: what a family is, equal cost, networks that train as if they were alone."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from lit_models.cnn.design_space import DesignSpace, LitDesignSpace, draw, multiply_adds
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer

SPACES: Any = ("any", "increasing", "decreasing", "regnet")


class TestLitDesignSpace(TaskBattery):
    parameters = 14_992
    overfit_steps = 30

    def model(self) -> LitDesignSpace:
        return LitDesignSpace(population=2, cost=0.03, stages=2, image_size=8, num_classes=4, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        return torch.rand(8, 1, 8, 8), torch.arange(8) % 4


@pytest.mark.parametrize("space", SPACES)
def test_networks_of_a_family_cost_alike_and_as_counted(space: Any) -> None:
    family = DesignSpace(space, 5, 0.1, image_size=14)
    assert len({str(design) for design in family.designs}) == 5
    for network, cost in zip(family.networks, family.costs, strict=True):
        with FlopCounterMode(display=False) as counter:
            network.eval()(torch.zeros(1, 1, 14, 14))
        assert counter.get_total_flops() // 2 == cost and abs(cost / 1e5 - 1) <= 0.2


def test_odd_sizes_are_counted_too() -> None:
    design = ([1, 2], [8, 16], [4, 8])
    with FlopCounterMode(display=False) as counter:
        from lit_models.cnn.regnet import AnyNet

        AnyNet(*design, 3, 5, 8, "small").eval()(torch.zeros(1, 3, 9, 9))
    assert counter.get_total_flops() // 2 == multiply_adds(design, 9, 3, 5)


def test_families_keep_their_order_of_widths() -> None:
    chance = random.Random(0)
    for _ in range(30):
        up, down = draw("increasing", 3, chance)[1], draw("decreasing", 3, chance)[1]
        assert up == sorted(up) and down == sorted(down, reverse=True)
        line = draw("regnet", 3, chance)
        assert line[1] == sorted(line[1]) and len(line[0]) == len(line[1])
    assert any(draw("any", 3, chance)[1] != sorted(draw("any", 3, chance)[1]) for _ in range(30))


def test_designs_are_fixed() -> None:
    assert DesignSpace("any", 3, 0.1, image_size=14).designs == DesignSpace("any", 3, 0.1, image_size=14).designs


def test_a_cost_that_no_network_has_is_refused() -> None:
    with pytest.raises(ValueError, match="cost is 500: hardly a network of the space 'any'"):
        DesignSpace("any", 1, 500, image_size=14)


def test_each_network_trains_as_if_it_were_alone(tmp_path: Path) -> None:
    model = LitDesignSpace(
        spaces=("any",), population=2, cost=0.03, stages=2, image_size=8, num_classes=4, optimizer=ADAM
    )
    x, y = torch.rand(8, 1, 8, 8), torch.arange(8) % 4
    alone = DesignSpace("any", 2, 0.03, 2, image_size=8, num_classes=4).networks[1]
    alone.load_state_dict(model.net[0].networks[1].state_dict())
    optimizer = ADAM(alone.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(alone(x), y).backward()
        optimizer.step()
    small_trainer(tmp_path, max_steps=3, max_epochs=-1).fit(model, DataLoader([(x, y)], batch_size=None))
    for mine, its in zip(alone.parameters(), model.net[0].networks[1].parameters(), strict=True):
        torch.testing.assert_close(its, mine, rtol=1e-3, atol=1e-4)


def test_losses_of_networks_in_half_precision_are_computed_in_single() -> None:
    model = LitDesignSpace(spaces=("any",), population=2, cost=0.03, stages=2, image_size=8, num_classes=4)
    logits, y = torch.randn(8, 2, 4).bfloat16(), torch.arange(8) % 4
    expected = torch.stack([F.cross_entropy(logits[:, network].float(), y) for network in range(2)])
    torch.testing.assert_close(model.losses(logits, y), expected)


def test_errors_are_those_of_each_network(tmp_path: Path) -> None:
    model = LitDesignSpace(
        spaces=("regnet", "any"), population=2, cost=0.03, stages=2, image_size=8, num_classes=4, optimizer=ADAM
    )
    batches = [
        (torch.rand(5, 1, 8, 8), torch.tensor([0, 1, 2, 3, 0])),
        (torch.rand(3, 1, 8, 8), torch.tensor([3, 3, 1])),
    ]
    (metrics,) = small_trainer(tmp_path).test(model, DataLoader(batches, batch_size=None), verbose=False)
    right = torch.cat([model.eval()(x).argmax(2) == y[:, None] for x, y in batches])
    errors = 1 - right.float().mean(0)
    torch.testing.assert_close(torch.cat([model.errors["regnet"], model.errors["any"]]), errors)
    assert metrics["test/median_error"] == pytest.approx(float(errors[:2].median()))
    assert metrics["test/any_median_error"] == pytest.approx(float(errors[2:].median()))
    assert metrics["test/best_error"] == pytest.approx(float(errors[:2].min()))
