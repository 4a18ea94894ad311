"""The exact process: its two bands, what it learns, what it keeps, and bad input."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from callbacks.pictures.line_plots import LinePlots
from common.messages import UserError
from datamodules.synthetic.two_sines import TwoSines, two_sines
from datamodules.tabular.co2_months import CO2Months
from lit_models.gp.exact import ExactGP, LitExactGP, likeliest
from tests.small import small_trainer

ADAM = partial(torch.optim.Adam, lr=0.1)


def points(n: int = 30, seed: int = 0, noise: float = 0.25) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.linspace(0, 5, n, dtype=torch.float64)[:, None]
    return x, two_sines(x[:, 0]) + noise * torch.randn(n, generator=generator, dtype=torch.float64)


def net(**given: Any) -> ExactGP:
    found = ExactGP(**given)
    found.remember(*points())
    return found


def fitted(seed: int) -> ExactGP:
    """The book's model, an RBF kernel of variance one, at its likeliest length-scale and noise for 50 points."""
    found = ExactGP(kernel=[{"scale": None, "rbf": {"length_scale": 0.75}}], noise=0.4, standardize=False)
    found.remember(*points(50, seed))
    descent = torch.optim.LBFGS(found.parameters(), max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        descent.zero_grad()
        loss = found.nll()
        loss.backward()
        return loss

    descent.step(closure)  # type: ignore[arg-type]
    return found


def test_learned_hyper_parameters_are_the_books_whose_length_scale_is_a_square() -> None:
    """D2L 18.3 finds 0.299 and a noise of 0.24; its kernel divides by 2 ls, so that 0.299 is a squared length-scale."""
    found = [fitted(seed) for seed in range(5)]
    squares = [float(gp.kernel.hyperparameters()["length_scale"][0]) ** 2 for gp in found]
    noises = [float(gp.log_noise.detach().exp()) for gp in found]
    assert sum(squares) / 5 == pytest.approx(0.3, abs=0.06)
    assert sum(noises) / 5 == pytest.approx(0.24, abs=0.03)


def test_the_band_of_an_observation_is_that_of_the_function_and_the_noise() -> None:
    gp = net().eval()
    mean, variance, observed = gp(torch.tensor([[2.5], [50.0]], dtype=torch.float64))
    noise = float((gp.noise_variance() * gp.std**2).detach())
    assert (observed - variance).tolist() == pytest.approx([noise, noise])
    assert variance[0] < noise < variance[1]  # known here, unknown there
    assert float(mean[1]) == pytest.approx(float(gp.mean))  # far away the prior is back
    assert float(variance[1]) == pytest.approx(float(gp.std**2))


def test_without_noise_the_function_goes_through_the_points() -> None:
    gp = ExactGP(kernel=[{"matern": {"length_scale": 0.5}}], noise=0)
    x, y = points(noise=0)
    gp.remember(x, y)
    mean, variance, observed = gp.eval()(x)
    torch.testing.assert_close(mean, y, atol=1e-5, rtol=0)
    assert float(variance.max()) < 1e-5 and torch.equal(variance, observed)
    assert not hasattr(gp, "log_noise")


def test_units_of_the_target_do_not_matter() -> None:
    x, y = points()
    one, other = ExactGP(), ExactGP()
    one.remember(x, y)
    other.remember(x, 1e6 * y + 5e7)
    for a, b, factor in zip(one.eval()(x), other.eval()(x), (1e6, 1e12, 1e12), strict=True):
        torch.testing.assert_close(b.detach(), factor * a.detach() + (5e7 if factor == 1e6 else 0), rtol=1e-6, atol=1)


def test_permuting_the_points_changes_nothing() -> None:
    x, y = points()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    one, other = ExactGP(), ExactGP()
    one.remember(x, y)
    other.remember(x[order], y[order])
    torch.testing.assert_close(one.nll(), other.nll())
    torch.testing.assert_close(one.eval()(x)[0], other.eval()(x)[0])


def test_new_hyper_parameters_are_used_after_a_step_and_after_loading() -> None:
    gp = net().eval()
    x = points()[0]
    before = gp(x)[0]
    gp.train()
    with torch.no_grad():
        gp.log_noise += 1
    after = gp.eval()(x)[0]
    assert not torch.allclose(before, after)
    again = ExactGP().eval()
    again.load_state_dict(gp.state_dict())
    torch.testing.assert_close(again(x)[0], after)


def test_leave_one_out_is_in_the_targets_units() -> None:
    x, y = points()
    mean, variance = net().leave_one_out()
    rest = ExactGP(standardize=False)
    rest.remember(x[1:], (y[1:] - y.mean()) / y.std())
    left_mean, _, left_variance = rest.eval()(x[:1])
    torch.testing.assert_close(mean[:1].detach(), left_mean.detach() * y.std() + y.mean())
    torch.testing.assert_close(variance[:1].detach(), left_variance.detach() * y.std() ** 2)


def test_a_checkpoint_has_the_points_whatever_their_number(tmp_path: Path) -> None:
    model = LitExactGP(optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, datamodule=TwoSines(num_train=17, batch_size=100))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitExactGP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True).eval()
    x = torch.rand(4, 1)
    assert len(again.net.x) == 17
    for mine, its in zip(model.eval()(x), again(x), strict=True):
        assert torch.equal(mine, its)


def test_every_hyper_parameter_gets_a_gradient_and_the_evidence_rises(tmp_path: Path) -> None:
    model = LitExactGP(optimizer=ADAM, kernel=[{"rbf": {}}, {"linear": {}}])
    model.net.remember(*points())
    first = model.loss()
    first.backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())
    small_trainer(tmp_path, max_epochs=20).fit(model, datamodule=TwoSines())
    assert float(model.loss()) < float(first) - 0.1


def test_the_likeliest_of_several_starts_is_at_least_as_likely() -> None:
    gp = net(kernel=[{"rbf": {"length_scale": 30.0}}])
    before = float(gp.nll().detach())
    gp.load_state_dict(likeliest(gp, 20), strict=False)
    assert float(gp.nll().detach()) < before - 0.1


def test_a_narrow_prior_keeps_hyper_parameters_where_they_began(tmp_path: Path) -> None:
    moved = []
    for prior in (0.0, 0.01):
        model = LitExactGP(optimizer=ADAM, prior=prior)
        small_trainer(tmp_path, max_epochs=30).fit(model, datamodule=TwoSines())
        moved.append(float((model.net.log_noise - model.begin["log_noise"]).abs().detach()))
    assert moved[1] < 0.1 * moved[0]


@pytest.mark.parametrize("data", [TwoSines(num_test=10), CO2Months()], ids=["curve", "co2"])
def test_samples_and_bands_are_drawn(data: Any, tmp_path: Path) -> None:
    model = LitExactGP(optimizer=ADAM)
    small_trainer(tmp_path, LinePlots("posterior"), max_epochs=1).fit(model, datamodule=data)
    assert (tmp_path / "posterior.png").is_file()
    panels = model.panels()
    assert panels[2]["title"].startswith("posterior" if isinstance(data, CO2Months) else "where")
    band = panels[1]["bands"]
    assert bool((band["observation"][2] > band["function"][2]).all())


def test_rows_with_a_missing_value_are_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = points()
    x[3, 0], y[7] = float("nan"), float("inf")
    gp = ExactGP()
    gp.remember(x, y)
    assert len(gp.x) == 28
    assert "2 of 30 training rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (lambda: ExactGP(noise=-1.0), r"model\.noise is -1\.0"),
        (lambda: ExactGP().remember(torch.rand(5, 1), torch.full((5,), 3.0)), "all 5 training rows is the same"),
        (lambda: ExactGP().remember(torch.full((3, 1), float("nan")), torch.rand(3)), "missing value: 0; at least 2"),
        (lambda: ExactGP(noise=0).remember(torch.ones(3, 1), torch.rand(3)), "2 training points are there twice"),
        (lambda: ExactGP().remember(torch.rand(5, 2), torch.rand(5)), "2 columns"),
        (lambda: net()(torch.rand(5, 3).double()), "3 columns"),
        (lambda: ExactGP().remember(torch.rand(3_000_000, 1), torch.rand(3_000_000)), "use gp/svgp"),
        (lambda: LitExactGP(prior=-1.0), r"model\.prior"),
    ],
)
def test_bad_input_is_one_line(what: Any, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        what()
    assert "\n" not in str(error.value)


def test_many_rows_are_told_of_the_faster_way(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = torch.rand(2000, 1).double(), torch.rand(2000).double()
    for count, solver, noise in ((1999, "auto", 0.3), (2000, "cholesky", 0.3), (2000, "auto", 0.0)):
        ExactGP(noise=noise, solver=solver).remember(x[:count], y[:count])  # type: ignore[arg-type]
        assert not capsys.readouterr().err
    ExactGP().remember(x, y)
    assert "conjugate gradients from 2,000 on" in capsys.readouterr().err


def test_many_points_are_learned_by_conjugate_gradients_which_estimate_the_evidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By default from a number of rows on; the estimate and its gradient are near the exact ones, not equal."""
    x, y = points(300)
    exact, auto = (ExactGP(noise=0.4, solver=solver) for solver in ("cholesky", "auto"))  # type: ignore[arg-type]
    for gp in (exact, auto):
        gp.remember(x, y)
    assert not auto.by_products() and float(auto.nll()) == float(exact.nll())
    monkeypatch.setattr("lit_models.gp.exact.CG_IS_FASTER", 300)
    assert auto.by_products() and not exact.by_products()
    torch.manual_seed(0)
    one, other = exact.nll(), auto.nll()
    assert float(one) != float(other) and float(other) == pytest.approx(float(one), abs=0.03)
    one.backward()
    other.backward()
    gradients = [
        torch.stack([p.grad.flatten()[0] for p in gp.parameters() if p.grad is not None]) for gp in (exact, auto)
    ]
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.98
    torch.testing.assert_close(exact.eval()(x[:5])[0], auto.eval()(x[:5])[0])  # predictions have a factor


def test_conjugate_gradients_need_noise() -> None:
    with pytest.raises(UserError, match=r"model\.solver cg needs noise"):
        ExactGP(noise=0, solver="cg")
