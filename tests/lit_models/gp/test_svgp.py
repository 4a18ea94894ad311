"""Sparse processes: the bound is a bound, batches, inducing points, bad input."""

from functools import partial
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.friedman import Friedman
from datamodules.synthetic.two_sines import TwoSines
from lit_models.gp.exact import ExactGP
from lit_models.gp.svgp import SVGP, LitSVGP
from tests.small import small_trainer

ADAM = partial(torch.optim.Adam, lr=0.05)


def test_the_bound_is_below_the_evidence_and_close_with_as_many_inducing_points_as_rows() -> None:
    data = TwoSines(num_train=12)
    data.setup("fit")
    x, y = (t.double() for t in data.splits["train"])
    exact = ExactGP(kernel=[{"scale": 0.6931471805599453, "rbf": {}}], noise=0.3)
    exact.remember(x, y)
    sparse = SVGP(1, 12, "rbf", 0.3)
    sparse.begin(x, y)
    distribution = list(sparse.gp.variational_strategy._variational_distribution.parameters())
    descent = torch.optim.Adam(distribution, lr=0.1)
    sparse.train()
    for _ in range(150):
        descent.zero_grad()
        loss = sparse.loss(x, y, len(x))
        loss.backward()
        descent.step()
        assert float(loss) > float(exact.nll()) - 1e-9
    assert float(loss) < float(exact.nll()) + 0.05
    new = torch.linspace(0, 5, 7).double()[:, None]
    torch.testing.assert_close(sparse.eval()(new)[0], exact.eval()(new)[0], atol=0.15, rtol=0)


def test_the_mean_of_the_batches_losses_is_that_of_all_rows() -> None:
    data = Friedman(num_train=40)
    data.setup("fit")
    x, y = data.splits["train"]
    gp = SVGP(10, 8)
    gp.begin(x, y)
    parts = [gp.loss(x[k : k + 10], y[k : k + 10], 40) for k in range(0, 40, 10)]
    torch.testing.assert_close(torch.stack(parts).mean(), gp.loss(x, y, 40))


def test_inducing_points_are_rows_and_few_rows_are_moved_apart() -> None:
    x, y = torch.rand(20, 1), torch.rand(20)
    gp = SVGP(1, 6)
    gp.begin(x, y)
    chosen = gp.gp.variational_strategy.inducing_points.detach()
    assert all(bool((x.double() == row).any()) for row in chosen)
    many = SVGP(1, 30)
    many.begin(x, y)
    assert len(many.gp.variational_strategy.inducing_points.unique(dim=0)) == 30


def test_it_learns_and_a_checkpoint_predicts_the_same(tmp_path: Path) -> None:
    model, data = LitSVGP(num_features=1, num_inducing=12, optimizer=ADAM), TwoSines(num_train=200, batch_size=50)
    trainer = small_trainer(tmp_path, max_epochs=40, limit_val_batches=0)
    trainer.fit(model, datamodule=data)
    assert trainer.test(model, datamodule=data, verbose=False)[0]["test/rmse"] < 0.35
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitSVGP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True).eval()
    x = torch.rand(4, 1)
    torch.testing.assert_close(again(x)[0], model.eval()(x)[0])


def test_bad_input_is_one_line() -> None:
    with pytest.raises(UserError, match="standard deviation"):
        SVGP(noise=0.0)
    with pytest.raises(UserError, match="is the same"):
        SVGP().begin(torch.rand(4, 1), torch.ones(4))
    with pytest.raises(UserError, match="2 columns"):
        SVGP().begin(torch.rand(4, 2), torch.rand(4))
    with pytest.raises(UserError, match="3 columns"):
        SVGP()(torch.rand(4, 3))
