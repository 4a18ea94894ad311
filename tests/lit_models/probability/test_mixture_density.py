"""A mixture finds the branches of an inverse problem; its density is one."""

from functools import partial

import torch
from torch import Tensor

from datamodules.synthetic.inverse_sine import InverseSine
from lit_models.probability.mixture_density import LitMixtureDensity, log_density
from tests.battery import TaskBattery


class TestLitMixtureDensity(TaskBattery):
    parameters = 32 * 2 + 32 * 33 + 9 * 33
    overfit_loss = 0.5

    def model(self) -> LitMixtureDensity:
        return LitMixtureDensity(num_components=3, optimizer=partial(torch.optim.Adam, lr=1e-2))

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-1, 1, 16)[:, None]
        return x, x[:, 0].sign()


def test_a_density_integrates_to_one() -> None:
    parameters = LitMixtureDensity()(torch.randn(3, 1)).detach().double()
    y = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    for row in parameters:
        density = log_density(row.expand(len(y), -1, -1), y).exp()
        assert abs(float(torch.trapezoid(density, y)) - 1) < 1e-6


def test_mean_and_deviation_of_a_prediction_are_those_of_the_mixture() -> None:
    model = LitMixtureDensity(num_components=2)
    found = model.predict_step(torch.randn(4, 1), 0)
    generator = torch.Generator().manual_seed(0)
    k = torch.multinomial(found["weights"], 100_000, replacement=True, generator=generator)
    drawn = found["means"].gather(1, k) + found["stds"].gather(1, k) * torch.randn(4, 100_000, generator=generator)
    torch.testing.assert_close(drawn.mean(1), found["prediction"], atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.std(1), found["std"], atol=0.02, rtol=0)


def test_the_datas_true_density_is_one_over_y() -> None:
    data, y = InverseSine(), torch.linspace(0, 1, 20_001)
    density = data.log_density(torch.full((len(y), 1), 0.5), y).exp()
    assert abs(float(torch.trapezoid(density, y.double())) - 1) < 1e-3
    modes = (density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])
    assert int(modes.sum()) == 3
