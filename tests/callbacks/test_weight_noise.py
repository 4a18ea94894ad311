"""Noise on weights: the gradient is that of the noisy weights, and the step is taken from the weights themselves."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from callbacks.gradient_noise import GradientNoise
from callbacks.weight_noise import DropConnect, WeightNoise
from common.messages import UserError
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d
from tests.small import Points, SmallNet, small_trainer


class Watched(SmallNet):
    """Keeps the weights that each step's loss was computed with, and the gradients of its steps."""

    def __init__(self) -> None:
        super().__init__(dropout=0.0, optimizer=partial(torch.optim.SGD, lr=0.0))
        self.used: list[Tensor] = []
        self.grads: list[Tensor] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.used.append(self.net[0].weight.detach().clone())
        return super().training_step(batch, batch_idx)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        super().on_before_optimizer_step(optimizer)
        assert self.net[0].weight.grad is not None
        self.grads.append(self.net[0].weight.grad.clone())


def run(folder: Path, *callbacks: WeightNoise, **settings: int) -> tuple[Watched, Tensor]:
    model = Watched()
    before = model.net[0].weight.detach().clone()
    small_trainer(folder, *callbacks, **settings).fit(model, Points())
    return model, before


def test_weights_are_noisy_within_a_step_only(tmp_path: Path) -> None:
    model, before = run(tmp_path, WeightNoise(0.5), max_epochs=8)
    assert torch.equal(model.net[0].weight, before)
    noise = torch.stack(model.used) - before
    assert float(noise.std()) == pytest.approx(0.5, rel=0.15) and len(torch.unique(noise)) > 400


def test_dropped_connections_are_zero_and_have_no_gradient_kept_ones_are_scaled(tmp_path: Path) -> None:
    model, before = run(tmp_path, DropConnect(0.5))
    assert torch.equal(model.net[0].weight, before)
    for used, gradient in zip(model.used, model.grads, strict=True):
        dropped = used == 0
        assert 0 < int(dropped.sum()) < dropped.numel() and torch.equal(used[~dropped], 2 * before[~dropped])
        assert not gradient[dropped].any() and gradient[~dropped].any()


@pytest.mark.parametrize("callbacks", [(WeightNoise(0.5), DropConnect(0.5)), (DropConnect(0.5), WeightNoise(0.5))])
def test_the_step_is_taken_from_the_weights_themselves_under_both_noises(
    callbacks: tuple[WeightNoise, ...], tmp_path: Path
) -> None:
    model, before = run(tmp_path, *callbacks)
    assert torch.equal(model.net[0].weight, before) and not torch.equal(model.used[0], before)


def test_accumulated_gradients_of_other_batches_are_not_masked(tmp_path: Path) -> None:
    model, _ = run(tmp_path, DropConnect(0.5), accumulate_grad_batches=4)
    kept = (torch.stack(model.used[:4]) != 0).any(0)
    assert int((model.grads[0] != 0).sum()) > int((model.used[3] != 0).sum()) and not model.grads[0][~kept].any()


def test_probabilities_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match="p is 1"):
        DropConnect(1.0)
    with pytest.raises(UserError, match="std is -1"):
        WeightNoise(-1)


def test_weights_that_processes_share_out_are_refused() -> None:
    sharded: Any = SimpleNamespace(device_mesh=object())
    trainer: Any = None
    for callback in (DropConnect(), GradientNoise()):
        with pytest.raises(UserError, match="-c trainer/ddp"):
            callback.on_train_start(trainer, sharded)
        callback.on_train_start(trainer, SimpleNamespace(device_mesh=None))  # type: ignore[arg-type]


def test_biases_of_several_dimensions_get_no_noise() -> None:
    model: Any = SmallNet()
    model.net = nn.Sequential(UnsharedConv2d(1, 2, 4, 3), TiledConv2d(2, 2, 2), nn.Linear(2, 3))
    found = {id(p) for p in WeightNoise().parameters(model)}
    assert {name for name, p in model.net.named_parameters() if id(p) in found} == {"0.weight", "1.weight", "2.weight"}
