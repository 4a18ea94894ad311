"""The picture of a design space: one curve per family, drawn after tests and validations."""

from pathlib import Path

import torch

from callbacks.pictures.error_distribution import ErrorDistribution, draw_errors
from tests.small import SmallNet, small_trainer

ERRORS = {"regnet": torch.tensor([0.3, 0.1, 0.2]), "any": torch.tensor([0.5, 0.2, 0.4])}
DESIGNS = {"regnet": [([1, 1], [8, 16], [4, 4])] * 3, "any": [([1, 1], [16, 8], [4, 4])] * 3}


def test_the_curve_is_the_fraction_of_networks_with_at_most_an_error() -> None:
    left, right = draw_errors(ERRORS, DESIGNS).axes
    x, y = left.lines[0].get_data()
    torch.testing.assert_close(torch.as_tensor(x), torch.tensor([0.1, 0.2, 0.3]))
    torch.testing.assert_close(torch.as_tensor(y), torch.tensor([1 / 3, 2 / 3, 1.0]))
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["regnet: median 0.200", "any: median 0.400"]
    assert len(right.collections) == 2


def test_a_module_with_errors_gets_a_picture_and_another_none(tmp_path: Path) -> None:
    model, trainer = SmallNet(), small_trainer(tmp_path)
    ErrorDistribution().on_test_end(trainer, model)
    assert not list(tmp_path.iterdir())
    model.errors = ERRORS  # type: ignore[assignment]
    ErrorDistribution().on_validation_end(trainer, model)
    assert (tmp_path / "errors.png").stat().st_size > 1000
