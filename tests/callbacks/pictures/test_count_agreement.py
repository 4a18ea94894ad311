"""count_agreement.png: the bias and its limits, class by class."""

import torch

from callbacks.pictures.count_agreement import CountAgreement, draw_agreement


def test_bias_and_limits_are_those_of_the_differences() -> None:
    true = torch.tensor([[3, 1], [5, 2], [7, 0]])
    found = true + torch.tensor([[1, 0], [2, 0], [3, 0]])
    first, second = draw_agreement(found, true, ["red", "white"]).axes
    assert first.get_title() == "red: bias +2.00, limits ± 1.96" and second.get_title().startswith("white: bias +0.00")
    heights = first.lines[-1].get_ydata()
    assert torch.allclose(torch.as_tensor(heights), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), atol=0.16)


def test_outputs_without_counts_are_not_drawn() -> None:
    assert CountAgreement().collect(None, {"scores": 1}, None) is None  # type: ignore[arg-type]
    assert draw_agreement(torch.ones(1, 1), torch.ones(1, 1), None).axes  # one picture has no deviation
