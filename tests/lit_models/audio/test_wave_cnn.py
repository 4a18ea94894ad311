"""The network on waveforms: the battery, the paper's sizes, which lengths it takes."""

import pytest
import torch
from torch import Tensor

from lit_models.audio.wave_cnn import PLANS, LitWaveCNN, WaveCNN
from tests.battery import ADAM, ClassifierBattery


class TestLitWaveCNN(ClassifierBattery):
    parameters = 80 * 16 + 3 * (16 * 16 + 16 * 32 + 32 * 64) + 2 * (16 + 16 + 32 + 64) + 64 * 10 + 10

    def model(self) -> LitWaveCNN:
        return LitWaveCNN(width=0.125, num_samples=1024, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.randn(8, 1024), torch.arange(8)


@pytest.mark.parametrize(("depth", "millions"), [("m3", 0.2), ("m5", 0.5), ("m11", 1.8), ("m18", 3.7)])
def test_sizes_are_the_papers(depth: str, millions: float) -> None:
    net = WaveCNN(depth=depth)  # type: ignore[arg-type]
    convolutions = [m for m in net.features if isinstance(m, torch.nn.Conv1d)]
    assert f"m{len(convolutions) + 1}" == depth  # layers with weights
    assert sum(p.numel() for m in convolutions for p in m.parameters()) == pytest.approx(millions * 1e6, rel=0.11)


@pytest.mark.parametrize("depth", sorted(PLANS))
def test_least_length_is_exact(depth: str) -> None:
    least = WaveCNN.least(depth)  # type: ignore[arg-type]
    net = WaveCNN(depth=depth, width=0.02).eval()  # type: ignore[arg-type]
    assert net(torch.randn(2, least)).isfinite().all()
    with pytest.raises(RuntimeError):
        net(torch.randn(2, least - 1))
    with pytest.raises(ValueError, match=f"needs at least {least}"):
        LitWaveCNN(num_samples=least - 1, depth=depth)  # type: ignore[arg-type]


def test_frozen_filters_are_not_trained() -> None:
    frozen = [name for name, p in LitWaveCNN(freeze_filters=True).named_parameters() if not p.requires_grad]
    assert frozen == ["net.features.0.weight"]
