"""SSD300: torchvision's names, shapes and anchors; published weights make it the network of ``LitSSD``."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models.detection import ssd300_vgg16
from torchvision.models.detection.image_list import ImageList

from common.messages import UserError
from lit_models.vision.ssd import LitSSD
from lit_models.vision.ssd300 import CELLS, SSD300, default_boxes


def test_names_shapes_and_anchors_are_torchvisions() -> None:
    with torch.device("meta"):
        theirs = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=91)
        ours = SSD300(num_classes=90)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    image, maps = torch.zeros(1, 3, 300, 300), OrderedDict((str(n), torch.zeros(1, 1, n, n)) for n in CELLS)
    anchors: Any = theirs.anchor_generator(ImageList(image, [(300, 300)]), list(maps.values()))
    torch.testing.assert_close(default_boxes() * 300, anchors[0])
    assert len(default_boxes()) == 8732


def test_its_maps_have_the_papers_sizes() -> None:
    with torch.device("meta"):
        net = SSD300(num_classes=2)
        maps = net.maps(torch.zeros(1, 3, 300, 300))
        logits, offsets = net(torch.zeros(1, 3, 300, 300))
    assert [part.shape[-1] for part in maps] == list(CELLS)
    assert logits.shape == (1, 8732, 3) and offsets.shape == (1, 8732, 4)


def test_another_size_is_refused() -> None:
    with pytest.raises(UserError, match=r"data.image_size is 96: model.variant ssd300 needs 300"):
        LitSSD(image_size=96, variant="ssd300")


@pytest.mark.slow
def test_a_published_file_makes_it_the_network_and_its_classes_may_be_others(tmp_path: Path) -> None:
    torch.save(SSD300(num_classes=4).state_dict(), tmp_path / "ssd300.pth")
    model = LitSSD(num_classes=2, image_size=300, weights=str(tmp_path / "ssd300.pth"))
    model.take_weights()
    saved = torch.load(tmp_path / "ssd300.pth", weights_only=True)
    net: Any = model.net
    assert isinstance(net, SSD300) and torch.equal(net.backbone.extra[4][2].weight, saved["backbone.extra.4.2.weight"])
    x, boxes = torch.rand(1, 3, 300, 300), torch.tensor([[[0.1, 0.1, 0.5, 0.6]]])
    loss, _, _ = model.loss_and_count((x, boxes, torch.tensor([[False]]), torch.tensor([[1]])))
    assert bool(loss.isfinite()) and len(model.eval().predict_step((x,), 0)) == 1
