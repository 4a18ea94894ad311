"""The benches of video: a frame drawn with Pillow is about ours, the networks are equal in size, all sides run."""

import numpy as np
import pytest
import torch

from datamodules.video.moving_digits import MovingDigits, draw, motions, walk
from scripts.evidence.benches import video


def test_a_frame_drawn_with_pillow_shows_what_ours_shows() -> None:
    from PIL import Image

    data = MovingDigits()
    pixels = torch.zeros(28, 28, dtype=torch.uint8)
    pixels[6:22, 8:12] = 255  # an upright stroke left of the middle
    state = torch.tensor([[[0.5, 0.5, 0.25, 0.9]]])
    mine = draw(pixels[None], state, data.image_size)[0, 0].numpy()
    other = video.frame(Image.fromarray(pixels.numpy()), state[0, 0].numpy(), data.image_size)
    wrong = video.frame(Image.fromarray(pixels.numpy()), np.array([0.5, 0.5, 0.75, 0.9]), data.image_size)
    assert np.corrcoef(mine.ravel(), other.ravel())[0, 1] > 0.8 > np.corrcoef(mine.ravel(), wrong.ravel())[0, 1]
    moved = video.frame(Image.fromarray(pixels.numpy()), np.array([0.0, 0.5, 0.25, 0.9]), data.image_size)
    assert np.allclose(np.roll(other, data.image_size // 2, 1), moved)
    assert walk(torch.zeros(1, 4), motions(24)[:1], 2).shape == (1, 2, 4)


def test_both_wide_networks_have_the_same_parameters() -> None:
    ours, other = video.our_network(), video.other_network()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in other.parameters())
    assert ours.state_dict().keys() == other.state_dict().keys()


@pytest.mark.slow
def test_all_sides_are_measured() -> None:
    rows = video.measure(1, 1, lambda line: None, steps=2)
    assert len({(row["workload"], row["side"]) for row in rows}) == 8
    assert all(row["rates"][0] > 0 for row in rows)
