"""Polyak averaging: the battery; the mean in evaluation and in checkpoints, training and resume as without it."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.optimization.averaging import PolyakAverage
from lit_models.optimization.schedule_free import ScheduleFreeAdamW
from lit_models.optimization.sgd import SGD
from tests.lit_models.optimization.battery import OptimizerBattery
from tests.small import Points, SmallNet, small_trainer


class TestPolyakAverage(OptimizerBattery):
    make = partial(PolyakAverage, base=partial(SGD, lr=0.1))
    bad = [{"decay": 1.0}, {"start": -1}]
    dense_only = False


def walk(optimizer: PolyakAverage, p: nn.Parameter, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        p.grad = -torch.ones(1)
        optimizer.step()
        found.append(p.item())
    return found


def test_the_mean_is_of_all_weights_since_the_start() -> None:
    p = nn.Parameter(torch.zeros(1))
    optimizer = PolyakAverage([p], base=partial(SGD, lr=1.0), start=2)
    assert walk(optimizer, p, 5) == [1.0, 2.0, 3.0, 4.0, 5.0]
    optimizer.eval()
    assert p.item() == pytest.approx(4.0)  # of 3, 4 and 5
    optimizer.train()
    assert p.item() == 5.0 and optimizer.evaluated_weights(p).item() == pytest.approx(4.0)


def test_a_state_that_is_saved_in_evaluation_has_the_weights_of_training() -> None:
    p = nn.Parameter(torch.zeros(1))
    optimizer = PolyakAverage([p], base=partial(SGD, lr=1.0))
    walk(optimizer, p, 3)
    optimizer.eval()
    again = PolyakAverage([p], base=partial(SGD, lr=1.0))
    again.load_state_dict(optimizer.state_dict())
    assert p.item() == 3.0


AVERAGING = [
    pytest.param(partial(PolyakAverage, base=partial(SGD, lr=0.5, momentum=0.9)), id="polyak"),
    pytest.param(partial(ScheduleFreeAdamW, lr=0.1), id="schedule_free"),
]


@pytest.mark.parametrize("make", AVERAGING)
def test_a_checkpoint_has_the_weights_that_were_validated_and_goes_on_to_the_bit(make: partial, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SmallNet(optimizer=make, dropout=0.0)
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, datamodule=Points(noise=0.0))
    path = tmp_path / "two.ckpt"
    trainer.save_checkpoint(path)
    validated = float(trainer.callback_metrics["val/loss"])
    (tested,) = small_trainer(tmp_path).validate(
        SmallNet(optimizer=make, dropout=0.0), datamodule=Points(noise=0.0), ckpt_path=path, verbose=False
    )
    assert tested["val/loss"] == pytest.approx(validated, abs=1e-7)
    resumed, whole = SmallNet(optimizer=make, dropout=0.0), SmallNet(optimizer=make, dropout=0.0)
    whole.load_state_dict(first_weights(make))
    small_trainer(tmp_path, max_epochs=4).fit(whole, datamodule=Points(noise=0.0))
    small_trainer(tmp_path, max_epochs=4).fit(resumed, datamodule=Points(noise=0.0), ckpt_path=path)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def first_weights(make: partial) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: v.clone() for name, v in SmallNet(optimizer=make, dropout=0.0).state_dict().items()}


def test_a_negative_start_is_refused() -> None:
    with pytest.raises(UserError, match="start is -1"):
        PolyakAverage([nn.Parameter(torch.zeros(1))], start=-1)
