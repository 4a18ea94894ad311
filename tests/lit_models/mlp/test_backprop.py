"""Back-propagation by hand: the battery, and the gradients against autograd and finite differences."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.mlp.backprop import LitBackprop, Objective, TwoLayers
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer


class TestLitBackprop(ClassifierBattery):
    parameters = 50_890  # 784-64-10

    def model(self) -> LitBackprop:
        return LitBackprop(hidden_size=64, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


DECAY = 0.1


def problem() -> tuple[TwoLayers, Tensor, Tensor]:
    net = TwoLayers(6, 4, 5).double()
    return net, torch.randn(7, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1, 2])


def by_autograd(net: TwoLayers, x: Tensor, y: Tensor) -> list[Tensor]:
    objective = F.cross_entropy(net(x), y) + DECAY / 2 * (net.w1.square().sum() + net.w2.square().sum())
    return [objective.detach(), *torch.autograd.grad(objective, [x, *net.parameters()])]


def test_objective_and_all_gradients_equal_autograds_in_double_precision() -> None:
    net, x, y = problem()
    x.requires_grad_()
    objective, loss = net.objective(x, y, DECAY)
    ours = [objective.detach(), *torch.autograd.grad(objective, [x, *net.parameters()])]
    torch.testing.assert_close(ours, by_autograd(net, x, y), atol=1e-14, rtol=0)
    assert float(loss.detach()) == pytest.approx(float(F.cross_entropy(net(x), y).detach()), abs=1e-14)


def test_gradients_equal_finite_differences() -> None:
    net, x, y = problem()
    inputs = [p.detach().requires_grad_() for p in net.parameters()]
    assert torch.autograd.gradcheck(lambda *p: Objective.apply(x, y, *p, DECAY, 2)[0], inputs)


def test_autocast_leaves_the_gradients_as_they_are() -> None:
    net, x, y = TwoLayers(6, 4, 5), torch.randn(7, 6), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    plain = torch.autograd.grad(net.objective(x, y, DECAY)[0], list(net.parameters()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        objective, _ = net.objective(x, y, DECAY)
    torch.testing.assert_close(list(torch.autograd.grad(objective, list(net.parameters()))), list(plain))


def test_a_scaled_objective_has_scaled_gradients() -> None:
    net, x, y = problem()
    objective, _ = net.objective(x, y, DECAY)
    plain = torch.autograd.grad(objective, list(net.parameters()), retain_graph=True)
    scaled = torch.autograd.grad(3 * objective, list(net.parameters()))
    torch.testing.assert_close([3 * g for g in plain], list(scaled))


def test_the_penalty_leaves_biases_free() -> None:
    net, x, y = problem()
    with_decay, without = (torch.autograd.grad(net.objective(x, y, d)[0], list(net.parameters())) for d in (DECAY, 0.0))
    change = [a - b for a, b in zip(with_decay, without, strict=True)]
    torch.testing.assert_close(change[0], DECAY * net.w1.detach())
    torch.testing.assert_close(change[2], DECAY * net.w2.detach())
    assert float(change[1].abs().max()) < 1e-15 and float(change[3].abs().max()) < 1e-15


def test_depth_one_trains_the_output_layer_alone(tmp_path: Path) -> None:
    model = LitBackprop(num_classes=3, image_size=2, hidden_size=5, backward_depth=1, optimizer=ADAM)
    before = [p.detach().clone() for p in model.parameters()]
    batch = torch.rand(6, 1, 2, 2), torch.arange(6) % 3
    small_trainer(tmp_path, max_epochs=1).fit(model, torch.utils.data.DataLoader([batch], batch_size=None))
    assert [torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)] == [True, True, False, False]
