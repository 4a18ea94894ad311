"""Kernel regression: the battery, and the facts of its own file."""

from functools import partial

import pytest
import torch
from torch import Tensor

from datamodules.synthetic.wavy_line import WavyLine
from lit_models.attention.nadaraya_watson import KERNELS, LitNadarayaWatson, NadarayaWatson
from tests.battery import ADAM, RegressorBattery
from tests.small import small_trainer


class TestLitNadarayaWatson(RegressorBattery):
    parameters = 1  # the width
    overfit_loss = 0.3  # it cannot learn a batch by heart: it has one parameter

    def model(self) -> LitNadarayaWatson:
        model = LitNadarayaWatson(num_keys=8, optimizer=ADAM)
        model.net.remember(*self.points())
        return model

    def points(self) -> tuple[Tensor, Tensor]:
        x = torch.linspace(0, 5, 8)[:, None]
        return x, x[:, 0] / 2

    def batch(self) -> tuple[Tensor, Tensor]:
        x, y = self.points()
        return x + 0.1, y


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_are_a_distribution(kernel: str) -> None:
    net = NadarayaWatson(num_keys=5, kernel=kernel, width=0.8).eval()  # type: ignore[arg-type]
    net.remember(torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]]), torch.arange(5.0))
    weights = net.weights(torch.tensor([[0.3], [2.0], [99.0]]))  # the last one is out of every reach
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    assert bool((weights >= 0).all())


def test_out_of_reach_the_prediction_is_the_mean() -> None:
    net = NadarayaWatson(num_keys=2, kernel="boxcar").eval()
    net.remember(torch.tensor([[0.0], [1.0]]), torch.tensor([3.0, 5.0]))
    assert net(torch.tensor([[50.0], [1.5]])).flatten().tolist() == [4.0, 5.0]


def test_epanechnikov_is_not_the_triangle_of_the_book() -> None:
    half = torch.tensor(0.5)
    assert KERNELS["epanechnikov"](half) == 0.75 and KERNELS["triangular"](half) == 0.5


def test_a_point_does_not_look_at_itself_in_training() -> None:
    net = NadarayaWatson(num_keys=3)
    x = torch.tensor([[0.0], [1.0], [2.0]])
    net.remember(x, torch.arange(3.0))
    assert net.train().weights(x).diagonal().tolist() == [0, 0, 0]
    assert bool((net.eval().weights(x).diagonal() > 0.3).all())


def test_learns_a_width_between_noise_and_blur(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = LitNadarayaWatson(num_keys=40, width=3.0, optimizer=partial(torch.optim.Adam, lr=0.1))
    data = WavyLine(batch_size=40)
    trainer = small_trainer(tmp_path, max_epochs=60)
    trainer.fit(model, datamodule=data)
    assert 0.1 < float(model.net.log_width.exp()) < 0.8
    (found,) = trainer.test(model, datamodule=data, verbose=False)
    assert 0.95 < found["test/rmse"] < 1.25  # the noise is 1


def test_another_number_of_points_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.num_keys 3"):
        NadarayaWatson(num_keys=2).remember(torch.zeros(3, 1), torch.zeros(3))
