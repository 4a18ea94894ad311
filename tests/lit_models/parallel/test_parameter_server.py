"""A server and its workers in one process: the battery, staleness, what is the same as plain training."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.cnn.lenet import LitLeNet
from lit_models.parallel.parameter_server import LitParameterServer, arrival, staleness
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer
from tests.test_configs import meets_threshold, train_and_test

SGD = partial(torch.optim.SGD, lr=0.05, momentum=0.9)


class TestLitParameterServer(ClassifierBattery):
    parameters = 61_706
    overfit_steps = 60

    def model(self) -> LitParameterServer:
        return LitParameterServer(activation="relu", workers=2, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


def weights_after(kind: Any, folder: Path, steps: int = 4, **arguments: Any) -> Tensor:
    torch.manual_seed(0)
    model = kind(activation="relu", optimizer=SGD, **arguments)
    random = torch.Generator().manual_seed(1)
    rows = [(torch.rand(8, 1, 28, 28, generator=random), torch.arange(8)) for _ in range(steps)]
    small_trainer(folder, max_epochs=1).fit(model, DataLoader(rows, batch_size=None))  # type: ignore[arg-type]
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_synchronous_steps_are_those_of_plain_training(tmp_path: Path) -> None:
    plain = weights_after(LitLeNet, tmp_path)
    for workers in (1, 2, 4):
        torch.testing.assert_close(weights_after(LitParameterServer, tmp_path, workers=workers), plain)


def test_asynchronous_steps_of_one_worker_are_too_and_those_of_two_are_not(tmp_path: Path) -> None:
    plain = weights_after(LitLeNet, tmp_path)
    late = {"mode": "asynchronous"}
    torch.testing.assert_close(weights_after(LitParameterServer, tmp_path, workers=1, **late), plain)
    two = weights_after(LitParameterServer, tmp_path, workers=2, **late)
    assert not torch.allclose(two, plain, atol=1e-3)
    torch.testing.assert_close(weights_after(LitParameterServer, tmp_path, workers=2, **late), two)  # repeatable


def test_staleness_is_the_number_of_other_workers_on_average_and_never_twice_that() -> None:
    for workers in (1, 2, 5):
        found = staleness(workers, seed=3, steps=1000)[workers:]
        assert abs(sum(found) / len(found) - (workers - 1)) < 0.1
        assert min(found) >= 0 and max(found) <= 2 * (workers - 1)


def test_the_schedule_is_the_seeds() -> None:
    orders = [arrival(6, seed, step) for seed in (0, 1) for step in (0, 1)]
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert arrival(6, 1, 1) == orders[3]


def test_what_a_server_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model.workers is 0"):
        LitParameterServer(workers=0)
    for setting, says in (
        ({"accumulate_grad_batches": 2}, "a step of each round"),
        ({"gradient_clip_val": 1.0}, "arrive"),
    ):
        loader = DataLoader([(torch.rand(2, 1, 28, 28), torch.arange(2))] * 2, batch_size=None)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=says):
            small_trainer(tmp_path, **setting).fit(LitParameterServer(), loader)


@pytest.mark.slow
def test_the_recipe_meets_its_threshold() -> None:
    assert meets_threshold(train_and_test("parallel/parameter_server"), "parallel/parameter_server")
