"""The antialiased network: the battery, and that it changes less when its image moves."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.vision.mnist import MNIST5k
from lit_models.convolution.antialiased import SHIFTS, AntialiasedNet, LitAntialiased
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer


class TestLitAntialiased(ClassifierBattery):
    parameters = 9 * (16 + 16 * 32 + 32 * 64) + 2 * (16 + 32 + 64) + 650

    def model(self) -> LitAntialiased:
        return LitAntialiased(optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


def test_metrics_are_what_they_say(tmp_path: Path) -> None:
    model, data = LitAntialiased(optimizer=ADAM), MNIST5k(eval_batch_size=300)
    metrics = small_trainer(tmp_path, limit_test_batches=1).test(model, datamodule=data, verbose=False)[0]
    x = data.splits["test"][0][:300].float() / 255
    with torch.no_grad():
        still = model.eval()(x)
        moved = torch.stack([model(x.roll(shift, (2, 3))) for shift in SHIFTS])
    change = (moved - still).square().mean().sqrt() / still.square().mean().sqrt()
    assert metrics["test/shift_change"] == pytest.approx(float(change), rel=1e-4)
    same = (moved.argmax(2) == still.argmax(1)).float().mean()
    assert metrics["test/consistency"] == pytest.approx(float(same), abs=1e-6)


def test_random_network_changes_less_with_blurred_pooling() -> None:
    x = torch.zeros(16, 1, 28, 28)
    x[..., 8:20, 8:20] = torch.rand(16, 1, 12, 12)
    change = {}
    for pooling in ("max", "blur"):
        torch.manual_seed(3)
        net = AntialiasedNet(pooling=pooling).eval()  # type: ignore[arg-type]
        with torch.no_grad():
            change[pooling] = float((net(x.roll(1, 3)) - net(x)).square().mean())
    assert change["blur"] < change["max"] / 2
