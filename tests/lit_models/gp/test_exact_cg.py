"""GPyTorch's exact process: the same as the one by hand, conjugate gradients, what a checkpoint has, bad input."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.synthetic.friedman import Friedman
from lit_models.gp.exact import ExactGP, likeliest
from lit_models.gp.exact_cg import CGExactGP, LitCGExactGP
from tests.small import small_trainer

ADAM = partial(torch.optim.Adam, lr=0.1)


def points(n: int = 60) -> tuple[Tensor, Tensor]:
    data = Friedman(num_train=n)
    data.setup("fit")
    x, y = data.splits["train"]
    return x, y


def net(**given: int) -> CGExactGP:
    found = CGExactGP(10, **given)  # type: ignore[arg-type]
    found.remember(*points())
    return found


def test_by_cholesky_it_is_the_process_by_hand() -> None:
    other = ExactGP(10, [{"scale": 0.6931471805599453, "matern": {"smoothness": 2.5}}], noise=0.3)  # softplus(0)
    other.remember(*points())
    gp, x = net(), points(80)[0][60:].double()
    torch.testing.assert_close(gp.nll(), other.nll(), atol=1e-6, rtol=0)
    for mine, its in zip(gp.eval()(x), other.eval()(x), strict=True):
        torch.testing.assert_close(mine, its, atol=1e-4, rtol=0)


def test_conjugate_gradients_are_near_cholesky() -> None:
    torch.manual_seed(0)
    x = points(80)[0][60:].double()
    exact, iterative = net().eval(), net(max_cholesky=1).eval()
    torch.testing.assert_close(iterative(x)[0], exact(x)[0], atol=0.05, rtol=0)
    assert abs(float(net(max_cholesky=1).nll() - net().nll())) < 0.1


def test_a_checkpoint_has_the_points_and_training_makes_them_likelier(tmp_path: Path) -> None:
    model = LitCGExactGP(num_features=10, optimizer=ADAM)
    model.net.remember(*points())
    loss = model.net.nll()
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    first = float(loss.detach())
    trainer = small_trainer(tmp_path, max_epochs=10)
    trainer.fit(model, datamodule=Friedman(num_train=60, num_val=20))
    assert float(model.net.nll().detach()) < first - 0.05
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitCGExactGP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True).eval()
    x = points()[0][:5]
    for mine, its in zip(model.eval()(x), again(x), strict=True):
        torch.testing.assert_close(mine, its)


def test_a_prior_adds_to_the_loss_and_starts_are_compared() -> None:
    plain, prior = net(), CGExactGP(10, length_scale_prior=0.5)
    prior.remember(*points())
    assert float((plain.nll() - prior.nll()).abs()) > 1e-3
    before = float(plain.nll().detach())
    plain.load_state_dict(likeliest(plain, 6), strict=False)
    assert float(plain.nll().detach()) <= before


def test_bad_input_is_one_line() -> None:
    with pytest.raises(UserError, match="standard deviation"):
        CGExactGP(noise=-1.0)
    with pytest.raises(UserError, match="is the same"):
        CGExactGP().remember(torch.rand(4, 1), torch.ones(4))
    with pytest.raises(UserError, match="2 columns"):
        CGExactGP().remember(torch.rand(4, 2), torch.rand(4))
    with pytest.raises(UserError, match=r"3,000,000 rows needs 402,331 GiB, .* use gp/svgp"):
        CGExactGP().remember(torch.rand(3_000_000, 1), torch.rand(3_000_000))
    with pytest.raises(UserError, match="3 columns"):
        net().eval()(torch.rand(4, 3).double())
