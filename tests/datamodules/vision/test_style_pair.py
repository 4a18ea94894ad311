"""Two pictures: those of scikit-learn, or files."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from common.messages import UserError
from datamodules.vision.style_pair import StylePair


def test_an_epoch_is_a_number_of_steps_with_the_same_pictures() -> None:
    data = StylePair(image_size=32, steps=3)
    data.setup("fit")
    batches = [data.transform(batch) for batch in data.train_dataloader()]
    assert len(batches) == 3 and len(data.val_dataloader()) == 1
    for content, style in batches:
        assert content.shape == style.shape == (1, 3, 32, 32) and 0.5 < float(content.max()) <= 1
        assert torch.equal(content, batches[0][0]) and not torch.equal(content, style)


def test_files_take_the_place_of_the_photographs(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40), (255, 0, 51)).save(tmp_path / "red.png")
    data = StylePair(style=str(tmp_path / "red.png"), image_size=32, steps=1)
    data.setup("fit")
    _, style = data.transform(data.splits["val"])
    torch.testing.assert_close(style[0, :, 5, 5], torch.tensor([1.0, 0.0, 0.2]))


def test_errors_name_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for arguments, says in (
        ({"content": str(tmp_path / "none.png")}, r"no file .*none.png: give --data.content a picture"),
        ({"style": str(tmp_path / "text.png")}, r"text.png cannot be read: not an image; give --data.style another"),
    ):
        with pytest.raises(UserError, match=says):
            StylePair(**arguments).setup("fit")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"data.steps is 0"):
        StylePair(steps=0)
