"""count_robustness.png: counts of changed pictures against those of the pictures."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from callbacks.pictures.count_robustness import CHANGES, CountRobustness, draw_robustness, jpeg


def bright(x: Tensor) -> Tensor:
    """Counts pixels above a half, and pictures."""
    return torch.stack([(x > 0.5).sum((1, 2, 3)), torch.ones(len(x))], 1)


def test_each_change_is_compared_with_the_picture_itself() -> None:
    x = torch.full((2, 3, 16, 16), 0.55)
    model: Any = SimpleNamespace(count=bright, device=torch.device("cpu"))
    found = CountRobustness().look(None, model, {"x": x})  # type: ignore[arg-type]
    assert found is not None and set(found) == set(CHANGES)
    assert found["brightness x 0.8"].tolist() == [1.0, 0.0] and found["blur, 1 pixel"].tolist() == [0.0, 0.0]
    axes = draw_robustness(found, ["pixels", "pictures"]).axes[0]
    assert max(bar.get_width() for bar in axes.patches) == 100
    assert CountRobustness().look(None, SimpleNamespace(), {"x": x}) is None  # type: ignore[arg-type]


def test_jpeg_keeps_what_is_smooth_and_loses_noise() -> None:
    torch.manual_seed(0)
    smooth, noise = torch.linspace(0, 1, 32).expand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    assert (jpeg(smooth, 90) - smooth).abs().max() < 0.05 < (jpeg(noise, 10) - noise).abs().mean()
    assert jpeg(noise[:, :1], 50).shape == (1, 1, 32, 32)
