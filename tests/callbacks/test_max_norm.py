"""Max-norm: no unit's weights are longer than the limit after a step, short ones and biases are left."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from callbacks.max_norm import MaxNorm, project
from common.messages import UserError
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d
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
    project(weight, 1.0, input_dims=3)
    assert torch.equal(weight[0], before[0]) and float(weight[1].norm()) == pytest.approx(1)


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(UserError, match="limit is -1"):
        MaxNorm(-1)


def test_an_optimizer_that_averages_is_refused(tmp_path: Path) -> None:
    model = SmallNet(optimizer=PolyakAverage)
    with pytest.raises(UserError, match="not the optimizer's mean"):
        small_trainer(tmp_path, MaxNorm()).fit(model, datamodule=Points())


def norms_of(weight: Tensor, input_dims: int) -> Tensor:
    return weight.flatten(-input_dims).norm(dim=-1)


@pytest.mark.parametrize(
    ("layer", "input_dims"),
    [(UnsharedConv2d(2, 3, 5, 3), 1), (TiledConv2d(2, 3, 3), 3), (nn.Conv2d(2, 3, 3), 3)],
    ids=["unshared", "tiled", "shared"],
)
def test_a_unit_of_each_position_or_tile_is_limited_for_itself_and_its_bias_is_free(
    layer: nn.Module, input_dims: int
) -> None:
    weight: Any = layer.weight
    with torch.no_grad():
        weight *= 9
        layer.bias.fill_(7)  # type: ignore[operator,union-attr]
        weight.flatten(0, -input_dims - 1)[0] *= 0.001  # one unit is within the limit
    before = weight.detach().clone()
    model: Any = SmallNet()
    model.net = nn.Sequential(layer)
    MaxNorm(1.5).on_train_batch_end(None, model, None, None, 0)  # type: ignore[arg-type]
    expected = before * (1.5 / norms_of(before, input_dims).clamp(min=1.5))[(..., *[None] * input_dims)]
    torch.testing.assert_close(weight, expected)
    assert torch.equal(weight.flatten(0, -input_dims - 1)[0], before.flatten(0, -input_dims - 1)[0])
    assert bool((layer.bias == 7).all())
