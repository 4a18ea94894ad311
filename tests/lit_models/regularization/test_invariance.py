"""Penalties on derivatives equal what differences of the network say."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.lenet import LitLeNet
from lit_models.regularization.invariance import DoubleBackprop, GradientPenalty, TangentProp, directional, tangents
from lit_models.tasks.regularizer import Regularizer


def smooth() -> Any:
    return LitLeNet(activation="tanh", image_size=12, num_classes=3).double()


@pytest.mark.parametrize("layer", [nn.Identity(), nn.BatchNorm1d(3).double()])
def test_the_derivative_along_a_direction_is_that_of_differences_and_can_be_differentiated(layer: nn.Module) -> None:
    model, x, v = nn.Sequential(smooth(), layer), torch.rand(2, 1, 12, 12).double(), torch.randn(2, 1, 12, 12).double()
    found = directional(model, x, v)
    torch.testing.assert_close(found, (model(x + 1e-5 * v) - model(x - 1e-5 * v)) / 2e-5, rtol=1e-6, atol=1e-8)
    found.square().sum().backward()
    assert all(bool(p.grad.abs().sum() > 0) for name, p in model.named_parameters() if "bias" not in name)


def test_tangents_are_the_changes_of_moved_and_turned_pictures() -> None:
    at = torch.linspace(-1, 1, 41).double()
    y, x = at[:, None], at[None, :]

    def picture(dx: float, dy: float, angle: float, growth: float) -> torch.Tensor:
        u, v = (x - dx) / (1 + growth), (y - dy) / (1 + growth)
        u, v = (
            u * torch.cos(torch.tensor(angle)) + v * torch.sin(torch.tensor(angle)),
            -u * torch.sin(torch.tensor(angle)) + v * torch.cos(torch.tensor(angle)),
        )
        return torch.exp(-10 * ((u - 0.2).square() + 2 * v.square()))[None, None]

    unit = 2 / 40  # a pixel
    found = tangents(picture(0, 0, 0, 0))[:4, ..., 2:-2, 2:-2]
    for tangent, change in zip(found, torch.eye(4) * 0.1 * unit, strict=True):
        difference = (picture(*change.tolist()) - picture(*(-change).tolist()))[..., 2:-2, 2:-2] / 0.2
        torch.testing.assert_close(tangent, difference, rtol=0.05, atol=0.005)


def test_double_backprop_is_the_mean_squared_gradient_of_each_loss() -> None:
    model, x, y = smooth(), torch.rand(4, 1, 12, 12).double().requires_grad_(), torch.tensor([0, 1, 2, 1])
    logits = model(x)
    found = DoubleBackprop(2.0).penalty(model, x, logits, F.cross_entropy(logits, y, reduction="none"))
    each = [torch.autograd.grad(F.cross_entropy(model(x[i : i + 1]), y[i : i + 1]), x)[0][i] for i in range(4)]
    torch.testing.assert_close(found, sum(g.square().sum() for g in each) / 4)


def test_the_gradient_penalty_is_on_average_the_norm_of_the_jacobian() -> None:
    model, x = smooth(), torch.rand(1, 1, 12, 12).double()
    exact = torch.autograd.functional.jacobian(model, x).square().sum()
    many = x.expand(4000, -1, -1, -1).clone().requires_grad_()
    found = GradientPenalty(2.0).penalty(model, many, model(many), many)
    assert found.item() == pytest.approx(float(exact), rel=0.05)


def test_tangent_propagation_lowers_what_it_penalizes() -> None:
    model, x = smooth(), torch.rand(16, 1, 12, 12).double()

    def change() -> float:
        return float(sum(directional(model, x, t).detach().square().sum() for t in tangents(x)))

    first = change()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(20):
        optimizer.zero_grad()
        TangentProp(1.0).penalty(model, x, x, x).backward()  # type: ignore[union-attr]
        optimizer.step()
    assert change() < 0.7 * first


class Attends(nn.Module):
    """Fused attention over the rows of pictures."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(x, x, x).flatten(1)


@pytest.mark.parametrize("kind", [TangentProp, DoubleBackprop, GradientPenalty])
@pytest.mark.parametrize("layer", [nn.BatchNorm2d(1), Attends()])
def test_penalties_differentiate_batch_normalization_and_attention(kind: type[Regularizer], layer: nn.Module) -> None:
    regularizer = kind()
    try:
        model = nn.Sequential(nn.Conv2d(1, 1, 3), layer, nn.Flatten(), nn.Linear(100, 3)).double().train()
        regularizer.build(model)
        x = torch.rand(4, 1, 12, 12).double().requires_grad_()
        logits = model(x)
        losses = F.cross_entropy(logits, torch.tensor([0, 1, 2, 1]), reduction="none")
        penalty = regularizer.penalty(model, x, logits, losses)
        assert isinstance(penalty, torch.Tensor)
        penalty.backward()
    finally:
        for switch in (torch.backends.cuda.enable_flash_sdp, torch.backends.cuda.enable_mem_efficient_sdp):
            switch(True)
    assert float(model[0].weight.grad.abs().sum()) > 0  # type: ignore[union-attr,arg-type]


def test_tangent_propagation_has_the_gradient_of_differences_with_batch_normalization() -> None:
    model: Any = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(200, 3))
    model.double()
    x, weight, step = torch.rand(4, 1, 12, 12).double(), model[0].weight, torch.randn(2, 1, 3, 3).double()

    def penalty() -> torch.Tensor:
        torch.manual_seed(0)  # the same tangents
        return TangentProp(1.0).penalty(model.train(), x, x, x)  # type: ignore[return-value]

    (gradient,) = torch.autograd.grad(penalty(), weight)
    before = model[1].running_mean.clone()
    with torch.no_grad():
        weight.add_(1e-6 * step)
        ahead = penalty().item()
        weight.sub_(2e-6 * step)
        behind = penalty().item()
    assert float((gradient * step).sum()) == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)
    assert model.training and torch.equal(model[1].running_mean, before)


def test_negative_weights_are_refused_and_zero_is_free() -> None:
    for kind in (TangentProp, DoubleBackprop, GradientPenalty):
        with pytest.raises(UserError, match="weight is -1"):
            kind(-1)
        assert kind(0).penalty(None, torch.ones(1), torch.ones(1), torch.ones(1)) == 0
