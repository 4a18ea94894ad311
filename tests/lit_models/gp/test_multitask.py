"""Multitask processes: the covariance of the tasks, and what one learns from the other."""

from functools import partial
from pathlib import Path

import torch

from datamodules.synthetic.two_sensors import TwoSensors
from lit_models.gp.multitask import LitMultitaskGP, MultitaskGP
from tests.small import small_trainer


def test_the_covariance_is_a_product_of_place_and_task() -> None:
    gp = MultitaskGP()
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    k = gp.gp.covar_module(x).to_dense().detach()
    b = gp.task_covariance()
    torch.testing.assert_close(k[:2, :2], b)
    within = torch.tensor(-0.5).double().exp()  # one length-scale apart
    torch.testing.assert_close(k[1, 2], b[1, 1] * within)


def test_independent_tasks_share_nothing() -> None:
    assert float(MultitaskGP(rank=0).task_covariance()[0, 1]) == 0
    assert not any("covar_factor" in n for n, p in MultitaskGP(rank=0).named_parameters() if p.requires_grad)


def test_a_sensor_that_is_seldom_read_is_known_by_the_other(tmp_path: Path) -> None:
    errors = []
    for rank in (1, 0):
        model = LitMultitaskGP(rank=rank, optimizer=partial(torch.optim.Adam, lr=0.1))
        trainer = small_trainer(tmp_path, max_epochs=80, limit_val_batches=0)
        trainer.fit(model, datamodule=(data := TwoSensors(num_first=40)))
        errors.append(trainer.test(model, datamodule=data, verbose=False)[0]["test/rmse"])
        if rank:
            assert float(model.net.task_covariance()[0, 1]) < 0  # the second is the first upside down
    assert errors[0] < 0.7 * errors[1]
