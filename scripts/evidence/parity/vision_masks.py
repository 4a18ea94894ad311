"""Mask R-CNN against torchvision's: the five losses with the sampler's draw fixed, masks of detections, gradients."""

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from lit_models.layers.pretrained import normalize
from lit_models.vision.mask_rcnn import MaskRCNN
from lit_models.vision.roi_heads import region_detections
from scripts.evidence.parity.vision_rcnn import (
    BEST,
    CHANNELS,
    CLASSES,
    OPTIONS,
    ROOMS,
    SIDE,
    SIZES,
    WATCHED,
    drawn,
    their_network,
    with_our_draw,
)
from scripts.evidence.verify import Check, Tensors

MASK_CHANNELS, MASK_SIZE = 6, 4
LOSSES = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask")
BOXES = [
    [[4, 6, 30, 34], [34, 30, 60, 62], [36, 4, 58, 24]],
    [[10, 12, 26, 22], [30, 8, 62, 30], [6, 34, 40, 60]],
]  # as many as regions of objects are sampled: both pictures teach as many masks


def our_network() -> MaskRCNN:
    options: dict[str, Any] = {"mask_channels": MASK_CHANNELS, "mask_size": MASK_SIZE, **OPTIONS, **ROOMS}
    return MaskRCNN(depth=18, channels=CHANNELS, anchor_sizes=SIZES, **options)


def their_mask_rcnn() -> Any:
    from torchvision.models.detection import MaskRCNN as Theirs
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
    from torchvision.ops import MultiScaleRoIAlign

    return their_network(
        "pyramid",
        Theirs,
        mask_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], MASK_SIZE, 2),
        mask_head=MaskRCNNHeads(CHANNELS, (MASK_CHANNELS,) * 4, 1),
        mask_predictor=MaskRCNNPredictor(MASK_CHANNELS, MASK_CHANNELS, 1 + CLASSES),
    )


@cache
def weights() -> dict[str, Tensor]:
    return drawn(our_network())


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, boxes in pixels, labels, and instances: ragged objects in their boxes."""
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(2, 3, SIDE, SIDE, dtype=torch.float64, generator=generator)
    boxes = torch.tensor(BOXES, dtype=torch.float64)
    instances = torch.zeros(2, SIDE, SIDE, dtype=torch.long)
    for k, row in enumerate(BOXES):
        for number, (left, top, right, bottom) in enumerate(row, 1):
            instances[k, top:bottom, left:right] = number
    ragged = torch.rand(2, SIDE, SIDE, generator=generator) < 0.7
    return x, boxes, torch.tensor([[0, 2, 1], [1, 0, 2]]), instances * ragged


def gradients(net: Any) -> Tensors:
    seen = (*WATCHED, "roi_heads.mask_head", "roi_heads.mask_predictor")
    return {f"grad {n}": p.grad for n, p in net.named_parameters() if n.startswith(seen) and p.grad is not None}


def ours() -> Tensors:
    net: Any = our_network().double()
    net.load_state_dict(weights())
    x, boxes, labels, instances = batch()
    losses = net.train().losses(normalize(x), boxes, torch.zeros_like(labels, dtype=torch.bool), labels, instances)
    torch.stack(losses).sum().backward()
    found = {f"loss {k}": loss.detach() for k, loss in enumerate(losses)} | gradients(net)
    with torch.no_grad():
        logits, offsets, regions, there, *maps = net.eval()(normalize(x))
        boxes, _, labels = region_detections(logits, offsets, regions, there, SIDE, min_score=0.05)
        masks = net.masks(maps, boxes, labels, SIDE)
    rows = {f"masks {k}": masks[k][labels[k] >= 0][:BEST] for k in range(len(x))}
    return found | rows | {f"boxes {k}": boxes[k][labels[k] >= 0][:BEST] for k in range(len(x))}


def theirs(wrong: bool = False) -> Tensors:
    net = with_our_draw(their_mask_rcnn())
    net.load_state_dict(weights())
    if wrong:
        net.roi_heads.mask_predictor.register_forward_hook(lambda _m, _i, maps: maps.roll(1, 1))
    x, boxes, labels, instances = batch()
    numbers = torch.arange(1, 4)[:, None, None]
    targets = [
        {"boxes": b, "labels": c + 1, "masks": (i == numbers).to(torch.uint8)}
        for b, c, i in zip(boxes, labels, instances, strict=True)
    ]
    losses = net.train()(list(x), targets)
    torch.stack([losses[name] for name in LOSSES]).sum().backward()
    found = {f"loss {k}": losses[name].detach() for k, name in enumerate(LOSSES)} | gradients(net)
    net.transform.postprocess = lambda result, *_sizes: result  # masks in their boxes, not in the picture
    with torch.no_grad():
        rows = net.eval()(list(x))
    found |= {f"masks {k}": row["masks"][:BEST, 0] for k, row in enumerate(rows)}
    return found | {f"boxes {k}": row["boxes"][:BEST] for k, row in enumerate(rows)}


CHECKS = [
    Check(
        name="vision/mask_rcnn",
        claim="Mask R-CNN, ResNet-18 with a pyramid: names, the five losses with the sampler's draw fixed, masks of "
        "detections, gradients",
        package="torchvision",
        ours=ours,
        reference=theirs,
        control=partial(theirs, wrong=True),
        mistake="each class has the mask of the class before it",
    )
]
