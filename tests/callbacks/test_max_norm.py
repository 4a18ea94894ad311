"""Max-norm: no unit's weights are longer than the limit after a step, short ones and biases are left."""

from pathlib import Path

import pytest
import torch

from callbacks.max_norm import MaxNorm, project
from common.messages import UserError
from lit_models.optimization.averaging import PolyakAverage
from tests.small import Points, SmallNet, small_trainer


def test_after_training_no_unit_is_above_the_limit(tmp_path: Path) -> None:
    model = SmallNet(lr=0.3)
    small_trainer(tmp_path, MaxNorm(0.5)).fit(model, Points())
    norms = torch.cat([model.net[k].weight.norm(dim=1) for k in (0, 3)])
    assert float(norms.max()) <= 0.5 + 1e-6 and float(norms.max()) > 0.499
    assert float(model.net[3].bias.norm()) > 0.5


def test_short_rows_stay_and_a_convolutions_feature_map_is_a_row() -> None:
    weight = torch.ones(2, 3, 2, 2)
    weight[0] *= 0.1
    before = weight.clone()
    project(weight, 1.0)
    assert torch.equal(weight[0], before[0]) and float(weight[1].norm()) == pytest.approx(1)


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(UserError, match="limit is -1"):
        MaxNorm(-1)


def test_an_optimizer_that_averages_is_refused(tmp_path: Path) -> None:
    model = SmallNet(optimizer=PolyakAverage)
    with pytest.raises(UserError, match="not the optimizer's mean"):
        small_trainer(tmp_path, MaxNorm()).fit(model, datamodule=Points())
