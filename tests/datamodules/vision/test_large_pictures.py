"""Large pictures are decoded at several times the network's size, for prediction only."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from common.messages import UserError
from datamodules.vision.large_pictures import LargePictures


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for k in range(3):
        Image.new("RGB", (90, 60), (40 * k, 0, 0)).save(tmp_path / f"{k}.png")
    return str(tmp_path)


@pytest.mark.parametrize("limit", [2000, 0])
def test_pictures_have_so_many_times_the_networks_side(folder: str, limit: float) -> None:
    """Also where they are decoded by the workers, batch by batch."""
    data = LargePictures(folder, 2, 3, 16, tiles=3, memory_limit_mb=limit, num_workers=0)
    data.load_processor({"whole_pictures": True, **data.processor()})
    data.setup("predict")
    (batch,) = list(data.predict_dataloader())
    assert data.transform(batch)[0].shape == (3, 3, 48, 48) and data.image_size == 16


def test_training_odd_numbers_and_models_without_tiles_are_refused(folder: str) -> None:
    data = LargePictures(folder, 2, 3, 16)
    data.trainer = SimpleNamespace(lightning_module=SimpleNamespace())  # type: ignore[assignment]
    with pytest.raises(UserError, match="does not look at tiles"):
        data.load("predict")
    with pytest.raises(UserError, match="is for `dive predict`"):
        LargePictures(folder, 2, 3, 16).setup("fit")
    with pytest.raises(UserError, match=r"data.tiles is 0: give a whole number from 1 to 64"):
        LargePictures(folder, 2, 3, 16, tiles=0)
