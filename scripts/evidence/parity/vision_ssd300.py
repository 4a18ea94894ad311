"""SSD300 against torchvision's ``ssd300_vgg16``: names, outputs, gradients, anchors."""

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.vision.ssd300 import SIDE, SSD300, default_boxes
from scripts.evidence.verify import Check, Tensors

CLASSES = 2
WATCHED = ("backbone.features.0.", "backbone.scale_weight", "backbone.extra.0.7.1", "backbone.extra.4", "head.")


@cache
def random_weights() -> dict[str, Tensor]:
    """Weights that keep the scale of what goes through them; the colors are in units of 1 / 255."""
    with torch.device("meta"):
        found = SSD300(num_classes=CLASSES).state_dict()
    generator = torch.Generator().manual_seed(1)
    for name, value in found.items():
        drawn = torch.empty(value.shape, dtype=torch.float64).uniform_(-1, 1, generator=generator)
        scale = (3 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.25
        found[name] = drawn * scale * (0.02 if name == "backbone.features.0.weight" else 1) + (value.ndim == 1)
    return found


def quantities(net: nn.Module, outputs: Any) -> Tensors:
    x = torch.rand(1, 3, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    logits, offsets, anchors = outputs(net, x)
    (logits.square().mean() + offsets.square().mean()).backward()
    assert x.grad is not None
    named = {f"grad {n}": p.grad for n, p in net.named_parameters() if n.startswith(WATCHED) and p.grad is not None}
    return {"logits": logits.detach(), "offsets": offsets.detach(), "anchors": anchors, "grad images": x.grad, **named}


def ours() -> Tensors:
    net = SSD300(num_classes=CLASSES).double()
    net.load_state_dict(random_weights())
    anchors = default_boxes().double()
    return quantities(net, lambda net, x: (*net(x), anchors))


def theirs(wrong: bool = False) -> Tensors:
    from torchvision.models.detection import ssd300_vgg16

    net: Any = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=1 + CLASSES).double()
    net.load_state_dict(random_weights())
    if wrong:
        net.backbone.extra[0][7][1].dilation = net.backbone.extra[0][7][1].padding = (1, 1)

    def outputs(net: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images, _ = net.transform(list(x))
        maps = list(net.backbone(images.tensors).values())
        found = net.head(maps)
        return found["cls_logits"], found["bbox_regression"], net.anchor_generator(images, maps)[0] / SIDE

    return quantities(net, outputs)


CHECKS = [
    Check(
        name="vision/ssd300_vgg16",
        claim="ssd300_vgg16: names, logits, offsets, the 8,732 anchors, gradients",
        package="torchvision",
        ours=ours,
        reference=theirs,
        control=partial(theirs, wrong=True),
        mistake="the layer behind conv5_3 is not spread",
        tolerance=1e-6,
        why="torchvision's anchors are in float32",
        slow=True,
    )
]
