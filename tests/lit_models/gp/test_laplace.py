"""Laplace's approximation: the mode, the gradient of the evidence, probabilities, and what it learns."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.synthetic.waves import Waves, probability
from lit_models.gp.kernels import make_kernel
from lit_models.gp.laplace import LaplaceGP, LitLaplaceGP, find_mode, log_evidence, mean_of_sigmoid
from tests.small import small_trainer

ADAM = partial(torch.optim.Adam, lr=0.1)


def points(n: int = 30) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = 6 * torch.rand(n, 2, generator=generator, dtype=torch.float64) - 3
    return x, (torch.rand(n, generator=generator) < probability(x)).long()


def test_the_mode_is_where_the_gradient_of_the_posterior_is_zero() -> None:
    x, y = points()
    sign = 2 * y.double() - 1
    k = make_kernel("rbf", 2)(x, x).detach()
    f = find_mode(k, sign).requires_grad_()
    slope = torch.autograd.grad(torch.nn.functional.logsigmoid(sign * f).sum(), f)[0]
    torch.testing.assert_close(k @ slope, f.detach(), atol=1e-9, rtol=0)


def test_the_gradient_of_the_evidence_knows_that_the_mode_moves() -> None:
    x, y = points()
    gp = LaplaceGP(2)
    gp.remember(x, y)
    gp.nll().backward()
    for parameter in gp.parameters():
        assert parameter.grad is not None
        values = []
        for step in (1e-4, -1e-4):
            with torch.no_grad():
                parameter += step
            values.append(float(gp.nll().detach()))
            with torch.no_grad():
                parameter -= step
        assert float(parameter.grad.sum()) == pytest.approx((values[0] - values[1]) / 2e-4, abs=1e-7)


def test_a_mode_held_still_has_another_gradient() -> None:
    """So that the test above can fail: the evidence with f and its curvature constant."""
    x, y = points()
    kernel, sign = make_kernel("rbf", 2), 2 * y.double() - 1
    k = kernel(x, x)
    mode = find_mode(k.detach(), sign)
    right = torch.autograd.grad(log_evidence(k, sign, mode), list(kernel.parameters()), retain_graph=True)
    root = (torch.sigmoid(mode) * torch.sigmoid(-mode)).sqrt()
    eye = torch.eye(len(y)).double()
    still = -(mode @ torch.linalg.solve(k + 1e-9 * eye, mode)) / 2
    still = still - torch.linalg.slogdet(eye + root[:, None] * k * root)[1] / 2
    wrong = torch.autograd.grad(still, list(kernel.parameters()))
    assert max(float((a - b).abs().max()) for a, b in zip(right, wrong, strict=True)) > 0.01


def test_the_mean_of_the_sigmoid_is_the_integral() -> None:
    mean, variance = torch.tensor([0.7, -3.0]).double(), torch.tensor([2.0, 0.3]).double()
    f = torch.linspace(-40, 40, 400_001, dtype=torch.float64)[:, None]
    density = torch.distributions.Normal(mean, variance.sqrt()).log_prob(f).exp()
    expected = (torch.sigmoid(f) * density).sum(0) * 2e-4
    torch.testing.assert_close(mean_of_sigmoid(mean, variance), expected, atol=1e-8, rtol=0)


def test_far_from_the_data_it_does_not_know() -> None:
    gp = LaplaceGP(2)
    gp.remember(*points())
    p = gp.eval()(torch.tensor([[500.0, 500.0]]).double()).exp()
    assert p[0].tolist() == pytest.approx([0.5, 0.5])


def test_probabilities_sum_to_one_and_a_checkpoint_has_the_points(tmp_path: Path) -> None:
    model = LitLaplaceGP(optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, datamodule=Waves(num_train=40, num_val=10))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitLaplaceGP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True).eval()
    x = points(7)[0]
    torch.testing.assert_close(again(x), model.eval()(x))
    torch.testing.assert_close(again(x).exp().sum(1), torch.ones(7).double())


def test_it_is_near_the_true_probabilities() -> None:
    data = Waves(num_train=300)
    data.setup("fit")
    gp = LaplaceGP(2, [{"scale": 4.0, "rbf": {"length_scale": 1.2}}])
    gp.remember(*data.splits["train"])
    x = points(200)[0]
    error = (gp.eval()(x)[:, 1].exp() - probability(x)).abs().mean()
    assert float(error.detach()) < 0.13  # a half everywhere is off by 0.34


def test_more_classes_and_another_width_are_refused() -> None:
    with pytest.raises(UserError, match="num_classes is 3"):
        LitLaplaceGP(num_classes=3)
    with pytest.raises(UserError, match="1 columns"):
        LaplaceGP(2).remember(torch.rand(3, 1), torch.ones(3))
