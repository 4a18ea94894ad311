"""detected_objects.png: the boxes of the objects and those that were found."""

from pathlib import Path

import torch
from matplotlib.patches import Rectangle
from torch.utils.data import DataLoader

from callbacks.pictures.detected_objects import DetectedObjects, draw_detections
from lit_models.vision.ssd import LitSSD
from tests.small import small_trainer


def rows() -> dict[str, torch.Tensor]:
    return {
        "x": torch.rand(2, 3, 20, 20),
        "boxes": torch.tensor([[[0.0, 0, 0.5, 0.5]], [[0, 0, 0, 0]]]),
        "labels": torch.tensor([[0], [-1]]),
        "found_boxes": torch.tensor([[[0.0, 0, 0.5, 0.6], [0, 0, 1, 1]]] * 2),
        "found_scores": torch.tensor([[0.9, 0.1], [0.0, 0.0]]),
        "found_labels": torch.tensor([[1, 1], [-1, -1]]),
    }


def test_objects_and_good_detections_are_drawn() -> None:
    figure = draw_detections(rows(), ["cat", "dog"], 0.3)
    first, second = figure.axes
    boxes = [patch for patch in first.patches if isinstance(patch, Rectangle)]
    assert [[*map(round, (b.get_width(), b.get_height()))] for b in boxes] == [[10, 10], [10, 12]]
    assert {(b.get_x(), b.get_y()) for b in boxes} == {(-0.5, -0.5)}
    assert [text.get_text() for text in first.texts] == ["dog 0.90"] and not second.patches


def test_a_test_draws_its_first_pictures(tmp_path: Path) -> None:
    model = LitSSD(num_classes=2, image_size=32, widths=[4], channels=4, sizes=[[0.2, 0.3], [0.7, 0.9]])
    none = torch.zeros(3, 1)
    batch = torch.rand(3, 3, 32, 32), torch.rand(3, 1, 4).sort(-1).values, none.bool(), none.long()
    loader = DataLoader([batch], batch_size=None)  # type: ignore[arg-type]
    small_trainer(tmp_path, DetectedObjects(pictures=2)).test(model, loader, verbose=False)
    assert (tmp_path / "detected_objects.png").stat().st_size > 1000
