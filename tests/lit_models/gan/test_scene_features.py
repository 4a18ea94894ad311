"""The stored network that counts solids: it counts in scenes that it was not trained on, at both sizes."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.colored_solids import ColoredSolids
from lit_models.gan.scene_features import RMS, scene_features


def test_it_counts_the_solids_of_test_scenes_at_16_and_at_32_pixels() -> None:
    for size, least in ((16, 0.93), (32, 0.7)):  # it was trained at 16 pixels
        data = ColoredSolids(image_size=size, train_size=1, val_size=1, test_size=300)
        images, labels = data.load("test")["test"]
        features, logits = scene_features()(images / 255)
        assert features.shape == (300, 84) and not logits.requires_grad
        assert 0.8 < float(features.square().mean().sqrt()) < 1.2
        assert float((logits.argmax(1) == labels).float().mean()) > least


def test_it_is_read_once_and_cannot_be_trained() -> None:
    net = scene_features()
    assert net is scene_features() and not net.training and not any(p.requires_grad for p in net.parameters())
    features, logits = net(x := torch.rand(3, 3, 16, 16))
    torch.testing.assert_close(net.net(x), logits)
    torch.testing.assert_close(net.net.head[-1](RMS * features), logits)


def test_gray_pictures_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="measures scenes in color, these have 1 channels: give false"):
        scene_features()(torch.rand(2, 1, 16, 16))
