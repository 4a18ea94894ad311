"""The posterior narrows, its bands hold what they promise, and the evidence is largest where it says."""

from functools import partial
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.wavy_line import WavyLine
from datamodules.tabular.csv_table import CSVTable
from lit_models.probability.bayesian_regression import (
    BayesianLinear,
    LitBayesianRegression,
    best_precisions,
    log_evidence,
    posterior,
)
from tests.small import small_trainer


def rows(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(n, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, x @ torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64) + 0.5 * noise


def test_more_points_narrow_the_posterior_in_every_direction() -> None:
    x, y = rows()
    few, many = (posterior(x[:n], y[:n], 1.0, 4.0)[1] for n in (5, 40))
    assert float(torch.linalg.eigvalsh(few - many).min()) > 0


def test_without_points_the_posterior_is_the_prior() -> None:
    mean, covariance = posterior(torch.zeros(0, 2), torch.zeros(0), 4.0, 1.0)
    assert torch.equal(mean, torch.zeros(2))
    torch.testing.assert_close(covariance, torch.eye(2) / 4)


def test_a_flat_prior_is_least_squares_and_a_prior_is_ridge() -> None:
    x, y = rows()
    torch.testing.assert_close(posterior(x, y, 1e-12, 1.0)[0], torch.linalg.lstsq(x, y[:, None]).solution[:, 0])
    ridge = torch.linalg.solve(x.T @ x + 3.0 * torch.eye(3), x.T @ y)
    torch.testing.assert_close(posterior(x, y, 6.0, 2.0)[0], ridge)  # lambda = alpha / beta


def test_the_evidence_is_largest_at_the_chosen_precisions() -> None:
    x, y = rows()
    alpha, beta = best_precisions(x, y)
    best = log_evidence(x, y, alpha, beta)
    for a, b in ((1.1, 1.0), (0.9, 1.0), (1.0, 1.1), (1.0, 0.9)):
        assert log_evidence(x, y, a * alpha, b * beta) < best
    assert abs(beta**-0.5 - 0.5) < 0.1  # the noise


def test_the_module_predicts_with_the_posterior_and_its_bands_cover(tmp_path: Path) -> None:
    data = WavyLine(batch_size=40)
    model = LitBayesianRegression(optimizer=partial(torch.optim.SGD, lr=1.0))
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    assert 0.9 < found["test/coverage"] < 0.98
    net = model.net
    x, y = (t.double() for t in data.splits["train"])
    alpha, beta = net.precisions.double().tolist()
    mean, covariance = posterior(net.phi(x), y, alpha, beta)
    torch.testing.assert_close(net.weight.detach(), mean.float(), atol=1e-2, rtol=1e-3)
    at = net.phi(x)
    std = (torch.einsum("bf,fg,bg->b", at, covariance, at) + 1 / beta).sqrt().float()
    torch.testing.assert_close(net.std(x.float()), std, atol=1e-3, rtol=1e-3)
    assert float(net.std(x.float(), noise=False).max()) < float(net.std(x.float()).min())
    assert [panel["title"] for panel in model.panels()] == ["1 point", "4 points", "12 points", "40 points"]
    again = LitBayesianRegression()
    again.load_state_dict(model.state_dict())
    predicted = again.predict_step(x.float(), 0)
    half = (predicted["upper"] - predicted["lower"])[:, 0] / 2
    torch.testing.assert_close(half, 1.959964 * net.std(x.float()), atol=1e-5, rtol=1e-5)


def test_all_that_is_predicted_is_in_the_units_of_a_target_whose_logarithm_is_learned(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("size,price\n" + "".join(f"{k},{100 * 1.1**k}\n" for k in range(40)))
    data = CSVTable(str(path), "price", log_target=True)
    found = LitBayesianRegression(num_features=1).predict_step(torch.zeros(3, 1), 0)
    for name, values in found.items():
        torch.testing.assert_close(data.in_units(name, values), values.double().exp(), msg=name)
    assert bool((found["lower"] < found["prediction"]).all() and (found["prediction"] < found["upper"]).all())


def test_one_bump_is_refused() -> None:
    with pytest.raises(UserError, match=r"model.num_bumps is 1"):
        BayesianLinear(num_bumps=1)
