"""The average of the weights: its decay grows, and validation and checkpoint have it."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EMAWeightAveraging, WeightAveraging
from lightning.pytorch.trainer.call import _call_setup_hook

from callbacks.stochastic_weight_averaging import SWA
from callbacks.weight_averaging import WarmupEMA, decay_after
from common.messages import UserError
from tests.small import Points, SmallNet, small_trainer


def test_decay_grows_to_its_end() -> None:
    assert decay_after(0, 0.999) == 0.1 and decay_after(90, 0.999) == 0.91 and decay_after(10**6, 0.999) == 0.999


class Steps(Callback):
    """Keeps the weights after each step."""

    def __init__(self) -> None:
        self.weights: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:  # type: ignore[no-untyped-def]
        self.weights.append(pl_module.net[0].weight.detach().clone())


def test_weights_after_the_run_are_the_average_of_all_steps(tmp_path: Path) -> None:
    model, steps = SmallNet(), Steps()
    small_trainer(tmp_path, steps, WarmupEMA(decay=0.4), max_epochs=2).fit(model, Points())
    average = steps.weights[0]
    for k, weights in enumerate(steps.weights[1:], 1):
        decay = decay_after(k, 0.4)  # the first step is taken as it is
        average = decay * average + (1 - decay) * weights
    torch.testing.assert_close(model.net[0].weight, average)
    assert not torch.equal(average, steps.weights[-1])


def test_the_count_of_batches_of_a_normalization_layer_is_copied(tmp_path: Path) -> None:
    model = SmallNet()
    model.net.insert(1, torch.nn.BatchNorm1d(8))
    small_trainer(tmp_path, WarmupEMA(), max_epochs=2).fit(model, Points())
    assert int(model.net[1].num_batches_tracked) == 8


def test_the_average_has_the_precision_of_the_weights(tmp_path: Path) -> None:
    averaging, model = WarmupEMA(), SmallNet()
    small_trainer(tmp_path, averaging, max_epochs=2, precision="64-true").fit(model, datamodule=Points())
    assert all(p.dtype == torch.float64 for p in averaging._average_model.parameters())  # type: ignore[union-attr]
    with pytest.raises(UserError, match="bf16-true is too coarse for a mean of weights"):
        small_trainer(tmp_path, WarmupEMA(), precision="bf16-true").fit(SmallNet(), datamodule=Points())


@pytest.mark.parametrize("kind", [WarmupEMA, SWA, EMAWeightAveraging])
def test_an_average_is_made_on_the_device_of_the_training(kind: type[WeightAveraging], tmp_path: Path) -> None:
    """Lightning tells the model its device before callbacks are set up, and moves it later."""
    averaging = kind()
    trainer = small_trainer(tmp_path, averaging)
    trainer.strategy._root_device = torch.device("meta")
    trainer.strategy.connect(SmallNet())
    trainer.state.fn = "fit"
    _call_setup_hook(trainer)
    assert {p.device.type for p in averaging._average_model.parameters()} == {"meta"}  # type: ignore[union-attr]
