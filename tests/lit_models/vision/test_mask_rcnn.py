"""Mask R-CNN: Faster R-CNN's tests, masks that are learned are found and judged, published names old and new."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.vision.faster_rcnn import FasterRCNN
from lit_models.vision.mask_head import pasted
from lit_models.vision.mask_rcnn import LitMaskRCNN, MaskRCNN
from tests.battery import ADAM
from tests.lit_models.vision import test_faster_rcnn
from tests.lit_models.vision.test_ssd import objects

SMALL: dict[str, Any] = {**test_faster_rcnn.SMALL, "mask_channels": 8, "mask_size": 4}


def triangles(boxes: Tensor, labels: Tensor, side: int = 32) -> Tensor:
    """Instances (B, side, side): of each object the half of its box that is left and above."""
    center = (torch.arange(side) + 0.5) / side
    left, top, right, bottom = (edge[..., None, None] for edge in boxes.unbind(-1))
    u, v = (center - left) / (right - left), (center[:, None] - top) / (bottom - top)  # (B, M, 1, side) and so on
    shown = (u > 0) & (v > 0) & (u + v < 1) & (labels >= 0)[..., None, None]
    return (shown * torch.arange(1, boxes.shape[1] + 1)[:, None, None]).amax(1)


class TestLitMaskRCNN(test_faster_rcnn.TestLitFasterRCNN):
    parameters = 7_525  # 4,898 of Faster R-CNN, 2,336 in four convolutions, 264 in the transposed one, 27 behind it
    overfit_loss = 2.0  # of five losses, which begin at 3.4

    def model(self, **arguments: Any) -> Any:
        torch.manual_seed(0)
        return LitMaskRCNN(image_size=32, optimizer=ADAM, **SMALL | arguments)

    def batch(self) -> tuple[Tensor, ...]:
        x, boxes, ignored, labels = super().batch()
        return x, boxes, ignored, labels, triangles(boxes, labels)

    def test_overfits_one_batch(self, tmp_path: Path) -> None:
        """And finds the masks that were learned; whole boxes in their place are judged worse."""
        model, batch = self.model(), self.batch()
        trainer = self.fit_one_batch(tmp_path, model, 100)
        assert float(trainer.callback_metrics["train/loss"]) < self.overfit_loss
        first = model.eval().predict_step(batch, 0)[0]
        for kind in (0, 1):
            best = int((first["labels"] == kind).nonzero()[0, 0])
            found = pasted(first["masks"][best : best + 1], first["boxes"][best : best + 1] * 32, 32, 32)[0]
            true = batch[4][0] == kind + 1
            assert (found & true).sum() / (found | true).sum() > 0.6
        judged = {}
        for kind in ("head", "box"):
            model.masks = kind
            (judged[kind],) = self.trainer(tmp_path).test(model, DataLoader([batch], batch_size=None), verbose=False)
        assert judged["head"]["test/mask_map50"] > judged["box"]["test/mask_map50"] + 0.1
        assert judged["head"]["test/map50"] == judged["box"]["test/map50"]


def test_a_picture_without_objects_teaches_no_masks_and_gives_no_error() -> None:
    net = MaskRCNN(**SMALL)
    boxes, ignored, labels = (part[3:] for part in objects())
    losses = net.losses(torch.rand(1, 3, 32, 32), boxes * 32, ignored, labels, torch.zeros(1, 32, 32))
    torch.stack(losses).sum().backward()
    assert len(losses) == 5 and float(losses[4].detach()) == 0
    assert all(p.grad is not None for p in net.parameters())


def test_data_without_masks_and_networks_without_a_head_are_refused() -> None:
    model = LitMaskRCNN(image_size=32, optimizer=ADAM, **SMALL)
    with pytest.raises(UserError, match="boxes without masks"):
        model.loss_and_count((torch.rand(4, 3, 32, 32), *objects()))
    with pytest.raises(UserError, match=r"mask_channels is 8: vision/mask_rcnn has masks"):
        FasterRCNN(**SMALL)
    with pytest.raises(UserError, match="mask_channels is 0"):
        MaskRCNN(**SMALL | {"mask_channels": 0})


def test_torchvisions_network_has_these_names_and_older_files_too() -> None:
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    with torch.device("meta"):
        theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
        net = MaskRCNN(**MaskRCNN.PUBLISHED)
    assert {k: v.shape for k, v in net.state_dict().items()} == {k: v.shape for k, v in theirs.items()}
    for layer in range(4):
        assert net.rename(f"roi_heads.mask_head.mask_fcn{layer + 1}.bias") == f"roi_heads.mask_head.{layer}.0.bias"
    assert net.rename("rpn.head.conv.bias") == "rpn.head.conv.0.0.bias"
