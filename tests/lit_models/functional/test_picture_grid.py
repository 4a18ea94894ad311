"""Images as one picture."""

import numpy as np
import torch

from lit_models.functional.picture_grid import picture_grid


def test_small_images_are_enlarged_and_lie_in_rows() -> None:
    images = torch.stack([torch.full((3, 8, 8), k / 4) for k in range(5)])
    picture = picture_grid(images, columns=3)
    assert picture.size == (3 * 66 - 2, 2 * 66 - 2) and picture.mode == "RGB"
    pixels = np.asarray(picture)
    assert [pixels[10, 10, 0], pixels[10, 76, 0], pixels[76, 76, 0]] == [0, 64, 255]


def test_gray_stays_gray_and_what_is_out_of_range_is_cut_off() -> None:
    picture = picture_grid(torch.tensor([-1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4), columns=2)
    assert picture.mode == "L"
    assert np.asarray(picture)[0, 0] == 0 and np.asarray(picture)[0, -1] == 255
