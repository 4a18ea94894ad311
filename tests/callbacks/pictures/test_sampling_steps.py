"""The curve of quality over sampling steps: a curve for each sampler, no more steps than levels."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from callbacks.pictures.sampling_steps import SamplingSteps


class Model(nn.Module):
    device = torch.device("cpu")
    schedule = SimpleNamespace(total=10)

    def quality(self, x: Any, y: Any, sampler: str, steps: int) -> float:
        return len(sampler) + len(x) / steps


def test_a_curve_for_each_sampler_over_the_steps_that_the_model_has() -> None:
    picture, rows = SamplingSteps(["dpm", "ddim"], [5, 10, 20]), {"x": torch.zeros(5, 2), "y": torch.zeros(5)}
    found = picture.look(None, Model(), rows)  # type: ignore[arg-type]
    assert found == {"steps": [5, 10], "curves": {"dpm": [4.0, 3.5], "ddim": [5.0, 4.5]}}
    (ax,) = picture.draw(None, found).axes  # type: ignore[arg-type]
    assert [line.get_label() for line in ax.lines] == ["dpm", "ddim"]
    assert picture.look(None, nn.Linear(1, 1), rows) is None  # type: ignore[arg-type]


def test_pictures_that_the_model_cannot_measure_have_no_curves() -> None:
    model, rows = Model(), {"x": torch.zeros(5, 2), "y": torch.zeros(5)}
    model.measured = False  # type: ignore[assignment]
    assert SamplingSteps(["dpm"], [5]).look(None, model, rows) is None  # type: ignore[arg-type]
