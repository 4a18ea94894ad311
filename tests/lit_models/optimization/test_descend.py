"""A point that descends: the noise is a tilt, steps are the optimizer's, the minimum is found."""

from functools import partial
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.gradient_noise import GradientNoise
from lit_models.optimization.adam import Adam
from lit_models.optimization.descend import LitDescend, Point
from lit_models.optimization.sgd import SGD
from lit_models.optimization.surfaces import rosenbrock
from tests.small import small_trainer


def test_the_gradient_is_the_functions_plus_the_mean_noise() -> None:
    net, noise = Point(), torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    net(noise).mean().backward()
    place = net.place.detach().clone().requires_grad_()
    rosenbrock(place[None]).sum().backward()
    assert net.place.grad is not None and place.grad is not None
    torch.testing.assert_close(net.place.grad, place.grad + noise.mean(0))


def test_a_run_is_the_optimizers_loop_and_measures_gap_and_distance(tmp_path: Path) -> None:
    model = LitDescend(surface="bowl", start=[-5.0, -2.0], optimizer=partial(SGD, lr=0.1))
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=GradientNoise(num_train=20))
    expected = torch.tensor([-5 * 0.8**20, -2 * 0.6**20])
    torch.testing.assert_close(model.position(), expected)
    (found,) = trainer.test(model, datamodule=GradientNoise(), verbose=False)
    assert found["test/distance"] == pytest.approx(float(expected.norm()), rel=1e-4)
    assert found["test/gap"] == pytest.approx(float(expected[0] ** 2 + 2 * expected[1] ** 2), rel=1e-4)


def test_adam_leaves_the_saddle_that_gradient_descent_stays_at(tmp_path: Path) -> None:
    ends = []
    for optimizer in (partial(SGD, lr=0.01), partial(Adam, lr=0.1)):
        model = LitDescend(surface="saddle", start=[-1.8, 1e-4], optimizer=optimizer)
        small_trainer(tmp_path, max_epochs=1).fit(model, datamodule=GradientNoise(num_train=100))
        ends.append(float(model.distance()))
    assert ends[0] > 0.9 and ends[1] < 0.1


def test_another_number_of_dimensions_is_refused() -> None:
    with pytest.raises(UserError, match="cosh has 1 dimensions"):
        Point(2, "cosh", [1.0, 2.0])
