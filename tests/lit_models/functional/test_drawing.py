"""Pictures of what a model generated: sizes and places."""

import numpy as np
import torch

from lit_models.functional.drawing import scatter, tiles


def test_scatter_has_a_second_panel_for_the_data() -> None:
    x = torch.randn(10, 2)
    one, two = scatter(x), scatter(x, x)
    assert two.size[0] == 2 * one.size[0] and one.mode == "RGB"
    assert scatter(x[:, :1]).size == one.size


def test_tiles_are_in_order_with_a_border_and_zoomed() -> None:
    pictures = torch.tensor([0.0, 0.2, 0.4])[:, None, None, None].expand(3, 1, 2, 2)
    image = np.asarray(tiles(pictures, columns=2, zoom=2))
    assert image.shape == (10, 10)
    assert image[0, 0] == 0 and image[0, 6] == 51 and image[6, 0] == 102 and image[4, 0] == 255 == image[6, 6]
    assert tiles(torch.rand(2, 3, 4, 4), 2).mode == "RGB"
