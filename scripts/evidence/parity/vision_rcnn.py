"""Faster R-CNN against torchvision's: losses with the sampler's draw fixed, detections, outputs and gradients."""

from functools import cache, partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.layers.pretrained import normalize
from lit_models.vision.faster_rcnn import FasterRCNN
from lit_models.vision.roi_heads import region_detections
from lit_models.vision.rpn import draw
from scripts.evidence.verify import Check, Tensors

SIDE, CLASSES, CHANNELS, HIDDEN = 64, 3, 8, 16
SIZES = [[8.0], [16.0], [32.0], [48.0], [64.0]]
SAMPLES, COUNTS = (24, 12), (60, 40)
BEST = 8  # detections, proposals and rows of logits that are compared
Kind = Literal["pyramid of 50", "pyramid", "one map"]
OPTIONS: dict[str, Any] = {"num_classes": CLASSES, "hidden_size": HIDDEN, "region_size": 3, "samples": SAMPLES}
ROOMS: dict[str, Any] = {"before": COUNTS, "after": COUNTS, "draws": "fixed"}
WATCHED = ("backbone.body.conv1", "backbone.body.layer3", "backbone.fpn", "rpn.head", "roi_heads.box_predictor")


def our_network(kind: Kind) -> nn.Module:
    if kind == "one map":
        return FasterRCNN(depth=18, fpn=False, stages=[3], anchor_sizes=[[16.0, 32.0]], **OPTIONS, **ROOMS)
    return FasterRCNN(
        depth=50 if kind == "pyramid of 50" else 18, channels=CHANNELS, anchor_sizes=SIZES, **OPTIONS, **ROOMS
    )


class Body(nn.Module):
    """torchvision's ResNet up to its third stage, under the name that our backbone has."""

    out_channels = 256

    def __init__(self) -> None:
        from torchvision.models import resnet18
        from torchvision.models._utils import IntermediateLayerGetter

        super().__init__()
        self.body = IntermediateLayerGetter(resnet18(weights=None), {"layer3": "0"})

    def forward(self, x: Tensor) -> Any:
        return self.body(x)


def their_network(kind: Kind, make: Any = None, **more: Any) -> nn.Module:
    """torchvision's Faster R-CNN, or another one of its detectors with what it needs more."""
    from torchvision.models import resnet18, resnet50
    from torchvision.models.detection import FasterRCNN as Theirs
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import MultiScaleRoIAlign

    fpn = kind != "one map"
    channels = CHANNELS if fpn else Body.out_channels
    stages = {f"layer{k}": str(k - 1) for k in range(1, 5)}
    resnet, widths = (resnet50, [256, 512, 1024, 2048]) if kind == "pyramid of 50" else (resnet18, [64, 128, 256, 512])
    body: Any = BackboneWithFPN(resnet(weights=None), stages, widths, channels) if fpn else Body()
    sizes = tuple(map(tuple, SIZES)) if fpn else ((16.0, 32.0),)
    names = ["0", "1", "2", "3"] if fpn else ["0"]
    detector: type[Theirs] = make or Theirs
    return detector(
        body,
        min_size=SIDE,
        max_size=SIDE,
        rpn_anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes)),  # type: ignore[arg-type]
        box_roi_pool=MultiScaleRoIAlign(names, 3, 2),
        box_head=TwoMLPHead(channels * 9, HIDDEN),
        box_predictor=FastRCNNPredictor(HIDDEN, 1 + CLASSES),
        rpn_pre_nms_top_n_train=COUNTS[0],
        rpn_pre_nms_top_n_test=COUNTS[1],
        rpn_post_nms_top_n_train=COUNTS[0],
        rpn_post_nms_top_n_test=COUNTS[1],
        rpn_batch_size_per_image=SAMPLES[0],
        box_batch_size_per_image=SAMPLES[1],
        box_score_thresh=0.05,
        **more,
    )


@cache
def random_weights(kind: Kind) -> dict[str, Tensor]:
    return drawn(our_network(kind))


def drawn(net: nn.Module) -> dict[str, Tensor]:
    """Weights that keep the scale, and heads that propose and find something."""
    generator = torch.Generator().manual_seed(1)
    found = net.double().state_dict()
    for name, value in found.items():
        if not value.is_floating_point():
            continue
        draw_ = torch.empty(value.shape).uniform_(-1, 1, generator=generator)
        if value.ndim > 1:
            large = 2.0 if name.startswith(("rpn.head.cls", "roi_heads.box_predictor")) else 1.0
            value.copy_(draw_ * large * (3 / value[0].numel()) ** 0.5)
        else:
            value.copy_(draw_ / 4 if name.endswith(("bias", "running_mean")) else 1 + draw_ / 4)
    return found


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(2, 3, SIDE, SIDE, dtype=torch.float64, generator=generator)
    boxes = torch.tensor([[[4, 6, 30, 34], [34, 30, 60, 62]], [[10, 12, 26, 22], [0, 0, 0, 0]]], dtype=torch.float64)
    return x, boxes, torch.zeros(2, 2, dtype=torch.bool), torch.tensor([[0, 2], [1, -1]])


def watched(net: nn.Module, x: Tensor) -> Tensors:
    found = {f"grad {n}": p.grad for n, p in net.named_parameters() if n.startswith(WATCHED) and p.grad is not None}
    assert x.grad is not None
    return {"grad images": x.grad, **found}


def in_pixels(rows: list[tuple[Tensor, Tensor, Tensor]]) -> Tensors:
    """The best detections of each picture: boxes, scores, classes from 0 on."""
    named: Tensors = {}
    for k, (boxes, scores, labels) in enumerate(tuple(part[:BEST] for part in row) for row in rows):
        named |= {f"boxes {k}": boxes, f"scores {k}": scores, f"classes {k}": labels.double()}
    return named


def ours(kind: Kind) -> Tensors:
    net: Any = our_network(kind).double()
    net.load_state_dict(random_weights(kind))
    x, boxes, ignored, labels = batch()
    x.requires_grad_()
    losses = net.train().losses(normalize(x), boxes, ignored, labels)
    torch.stack(losses).sum().backward()
    found = {f"loss {k}": loss.detach() for k, loss in enumerate(losses)} | watched(net, x)
    with torch.no_grad():
        logits, offsets, regions, there = net.eval()(normalize(x))
        seen = region_detections(logits, offsets, regions, there, SIDE, min_score=0.05)
    kept = seen[2] >= 0
    rows = [tuple(part[k][kept[k]] for part in seen) for k in range(len(x))]
    proposed = {f"proposals {k}": regions[k][there[k]][:BEST] for k in range(len(x))}
    return found | {"logits": logits[there][:BEST]} | proposed | in_pixels(rows)  # type: ignore[arg-type]


class Sampler:
    """The balanced sampler written out once more: of each picture those with the smallest lots."""

    def __init__(self, count: int, positives: float) -> None:
        self.count, self.positives = count, positives
        self.boxes: list[Tensor] = []  # of the regions to choose from, one tensor a picture

    def __call__(self, labels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        chosen: tuple[list[Tensor], list[Tensor]] = ([], [])
        for own, boxes in zip(labels, self.boxes, strict=True):
            order = draw(boxes, "fixed").argsort().tolist()
            objects = [k for k in order if own[k] > 0][: int(self.count * self.positives)]
            nothing = [k for k in order if own[k] == 0][: self.count - len(objects)]
            for masks, places in zip(chosen, (objects, nothing), strict=True):
                mask = torch.zeros(len(own), dtype=torch.uint8)
                mask[places] = 1
                masks.append(mask)
        return chosen


def with_our_draw(net: Any) -> Any:
    """torchvision's detector in double precision, whose sampler draws as ours does."""
    net = net.double()
    first, second = Sampler(SAMPLES[0], 0.5), Sampler(SAMPLES[1], 0.25)
    net.rpn.fg_bg_sampler, net.roi_heads.fg_bg_sampler = first, second
    make, add = net.rpn.anchor_generator.forward, net.roi_heads.add_gt_proposals
    assign = net.rpn.assign_targets_to_anchors

    def anchors(images: Any, maps: Any) -> Any:
        first.boxes = make(images, maps)
        return first.boxes

    def with_truth(regions: Any, truth: Any) -> Any:
        second.boxes = add(regions, truth)
        return list(second.boxes)

    def in_float64(*arguments: Any) -> Any:  # its float32 labels give a wrong cross-entropy with logits in float64
        classes, boxes = assign(*arguments)
        return [part.double() for part in classes], boxes

    net.rpn.anchor_generator.forward, net.roi_heads.add_gt_proposals = anchors, with_truth
    net.rpn.assign_targets_to_anchors = in_float64
    return net


def theirs(kind: Kind, wrong: bool = False) -> Tensors:
    net = with_our_draw(their_network(kind))
    net.load_state_dict(random_weights(kind))
    kept: dict[str, Any] = {}
    if wrong:
        net.rpn.box_coder.weights = (10.0, 10.0, 5.0, 5.0)
    x, boxes, _, labels = batch()
    x.requires_grad_()
    targets = [{"boxes": b[c >= 0], "labels": c[c >= 0] + 1} for b, c in zip(boxes, labels, strict=True)]
    losses = net.train()(list(x), targets)
    names = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")
    torch.stack([losses[name] for name in names]).sum().backward()
    found = {f"loss {k}": losses[name].detach() for k, name in enumerate(names)} | watched(net, x)
    net.eval()
    net.rpn.register_forward_hook(lambda _m, _i, out: kept.update(proposals=out[0]))
    net.roi_heads.box_predictor.register_forward_hook(lambda _m, _i, out: kept.update(logits=out[0]))
    with torch.no_grad():
        rows = [(row["boxes"], row["scores"], row["labels"] - 1) for row in net(list(x))]
    proposed = {f"proposals {k}": part[:BEST] for k, part in enumerate(kept["proposals"])}
    return found | {"logits": kept["logits"][:BEST]} | proposed | in_pixels(rows)


NETWORKS: list[tuple[str, str, Kind]] = [
    ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn with narrow heads", "pyramid of 50"),
    ("faster_rcnn_fpn", "Faster R-CNN, ResNet-18 with a pyramid", "pyramid"),
    ("faster_rcnn", "Faster R-CNN, ResNet-18 with one map", "one map"),
]
CHECKS = [
    Check(
        name=f"vision/{name}",
        claim=f"{what}: names, the four losses with the sampler's draw fixed, proposals, detections, gradients",
        package="torchvision",
        ours=partial(ours, kind),
        reference=partial(theirs, kind),
        control=partial(theirs, kind, wrong=True),
        mistake="the second stage's scale of offsets in the first stage",
        slow=kind == "pyramid of 50",
    )
    for name, what, kind in NETWORKS
]
