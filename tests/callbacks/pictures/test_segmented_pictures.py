"""segmented_pictures.png: a picture, its classes, and those that were found."""

from pathlib import Path

import torch
from torch.utils.data import DataLoader

from callbacks.pictures.segmented_pictures import SegmentedPictures, draw_masks
from lit_models.vision.unet import LitUNet
from tests.small import small_trainer


def test_the_legend_names_the_classes_that_are_seen() -> None:
    truth = torch.zeros(2, 6, 6, dtype=torch.long)
    truth[0, :2], truth[1, 0] = 2, 255
    figure = draw_masks({"x": torch.rand(2, 3, 6, 6), "truth": truth, "found": truth * 0}, ["a", "b", "c"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "c"]
    assert len(figure.axes) == 6 and (figure.axes[2].images[0].get_array() == truth[0].numpy()).all()


def test_a_test_draws_its_first_pictures(tmp_path: Path) -> None:
    model = LitUNet(num_classes=2, in_channels=1, width=2, depth=1)
    loader = DataLoader([(torch.rand(3, 1, 8, 8), torch.zeros(3, 8, 8, dtype=torch.long))], batch_size=None)  # type: ignore[arg-type]
    small_trainer(tmp_path, SegmentedPictures(pictures=2)).test(model, loader, verbose=False)
    assert (tmp_path / "segmented_pictures.png").stat().st_size > 1000
