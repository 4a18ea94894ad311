"""Pictures of what a model generated: sizes and places."""

import numpy as np
import torch

from lit_models.functional.drawing import attention_table, scatter, tiles


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


def test_a_pixel_has_the_color_of_the_latent_that_it_attends_to() -> None:
    """Of three latents the first is red, the second green; the image is white, of which 35 % remain."""
    maps = torch.zeros(1, 3, 2, 64, 64)
    maps[:, 0, 0] = maps[:, 1, 1] = 1
    image = np.asarray(attention_table(torch.ones(1, 1, 64, 64), maps))
    assert image.shape == (64, 3 * 64 + 2, 3)
    assert image[9, 9].tolist() == [255] * 3
    assert image[9, 70].tolist() == [255, 89, 89] and image[9, 140].tolist() == [89, 255, 89]
