"""Segmentation: FCN against torchvision's, U-Net against the paper's equations, mIoU against torchmetrics."""

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.vision.fcn import FCN, bilinear_kernel
from lit_models.vision.segmenter import VOID, class_iou, mean_iou
from lit_models.vision.unet import UNet
from scripts.evidence.verify import Check, Tensors

Spoil = Any  # makes a network plausibly wrong


@cache
def random_weights() -> dict[str, Tensor]:
    """Weights of ``fcn_resnet50`` that keep the scale of what goes through them."""
    with torch.device("meta"):
        net = FCN(depth=50, variant="torchvision", num_classes=5).double()
    found = net.to_empty(device="cpu").state_dict()
    generator = torch.Generator().manual_seed(1)
    for name, value in found.items():
        if not value.is_floating_point():
            value.zero_()
        elif value.ndim > 1:
            value.uniform_(-1, 1, generator=generator).mul_((3 / value[0].numel()) ** 0.5)
        else:
            value.uniform_(-0.25, 0.25, generator=generator).add_(0 if name.endswith(("bias", "mean")) else 1)
    return found


def fcn_quantities(make: Any, spoil: Spoil = None) -> Tensors:
    with torch.device("meta"):
        net = make().double()
    net = net.to_empty(device="cpu")
    net.load_state_dict(random_weights())
    if spoil is not None:
        spoil(net)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    torch.manual_seed(2)
    x = torch.randn(2, 3, 48, 40, dtype=torch.float64, requires_grad=True)
    out = net(x)
    logits = out if isinstance(out, Tensor) else out["out"]
    F.cross_entropy(logits, torch.arange(2 * 48 * 40).view(2, 48, 40) % 5).backward()
    assert x.grad is not None
    watched = ("backbone.conv1", "backbone.layer3.1.conv2", "backbone.layer4.2.conv2", "classifier.0", "classifier.4")
    gradients = {f"grad {name}": net.get_submodule(name).weight.grad for name in watched}
    evaluated = net.eval()(x.detach())
    found = {"logits": logits.detach(), "grad images": x.grad, **gradients}
    return found | {"logits in evaluation": (evaluated if isinstance(evaluated, Tensor) else evaluated["out"]).detach()}


def our_fcn() -> nn.Module:
    return FCN(depth=50, variant="torchvision", num_classes=5)


def their_fcn() -> nn.Module:
    from torchvision.models.segmentation import fcn_resnet50

    return fcn_resnet50(weights=None, weights_backbone=None, num_classes=5)


def spread_at_once(net: Any) -> None:
    for stage, spread in ((net.backbone.layer3, 2), (net.backbone.layer4, 4)):
        stage[0].conv2.dilation = stage[0].conv2.padding = (spread, spread)


def unet() -> UNet:
    torch.manual_seed(3)
    return UNet(in_channels=2, num_classes=3, width=4, depth=2).double()


def unet_quantities(forward: Any) -> Tensors:
    net = unet()
    x = torch.randn(2, 2, 16, 12, dtype=torch.float64, requires_grad=True)
    logits = forward(net, x)
    logits.square().mean().backward()
    assert x.grad is not None
    gradients = {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"logits": logits.detach(), "grad images": x.grad, **gradients}


def figure_1(net: Any, x: Tensor, crop_first: bool = True) -> Tensor:
    """The paper's figure 1, from the inside to the outside, by functions on the network's parameters."""
    w = dict(net.named_parameters())

    def twice(name: str, h: Tensor) -> Tensor:
        for layer in (0, 2):
            h = F.conv2d(F.pad(h, (1, 1, 1, 1)), w[f"{name}.{layer}.weight"], w[f"{name}.{layer}.bias"]).clamp(min=0)
        return h

    def level(k: int, h: Tensor) -> Tensor:
        h = twice(f"down.{k}", h)
        if k == 2:
            return h
        pooled = h.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        name = f"grow.{1 - k}"
        below = level(k + 1, pooled)
        grown = torch.einsum("bchw,cdij->bdhiwj", below, w[f"{name}.weight"]).flatten(2, 3).flatten(3, 4)
        grown = grown + w[f"{name}.bias"].view(-1, 1, 1)
        return twice(f"up.{1 - k}", torch.cat([h, grown] if crop_first else [grown, h], 1))

    return torch.einsum("bchw,kc->bkhw", level(0, x), w["head.weight"][..., 0, 0]) + w["head.bias"].view(-1, 1, 1)


def pixels() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    truth = torch.randint(4, (3, 20, 20), generator=generator)
    found = torch.where(torch.rand(truth.shape, generator=generator) < 0.7, truth, (truth + 1) % 4)
    return found, truth.masked_fill(torch.rand(truth.shape, generator=generator) < 0.1, VOID)


def our_iou() -> Tensors:
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    found, truth = pixels()
    counts = sum(multiclass_confusion_matrix(f, t, 4, ignore_index=VOID) for f, t in zip(found, truth, strict=True))
    assert isinstance(counts, Tensor)
    return {"by class": class_iou(counts), "mean": mean_iou(counts).double()}


def their_iou(void: bool = True) -> Tensors:
    from torchmetrics.functional.classification import multiclass_jaccard_index

    found, truth = pixels()
    truth = truth if void else truth.masked_fill(truth == VOID, 0)
    parts = [multiclass_jaccard_index(found, truth, 4, average=kind, ignore_index=VOID) for kind in ("none", "macro")]  # type: ignore[arg-type]
    return {"by class": parts[0].double(), "mean": parts[1].double()}


def map_of_classes() -> Tensor:
    return torch.randn(2, 3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(5), requires_grad=False)


def inside(enlarged: Tensor) -> Tensors:
    """Without half a cell at the edge, where a transposed convolution has no neighbor to interpolate with."""
    return {"enlarged": enlarged[..., 4:-4, 4:-4]}


def our_enlargement() -> Tensors:
    kernel = bilinear_kernel(3, 16).double()
    return inside(F.conv_transpose2d(map_of_classes(), kernel, stride=8, padding=4))


def their_enlargement(align_corners: bool = False) -> Tensors:
    return inside(F.interpolate(map_of_classes(), scale_factor=8, mode="bilinear", align_corners=align_corners))


CHECKS = [
    Check(
        name="vision/fcn",
        claim="fcn_resnet50: names, logits in training and evaluation, gradients",
        package="torchvision",
        ours=partial(fcn_quantities, our_fcn),
        reference=partial(fcn_quantities, their_fcn),
        control=partial(fcn_quantities, their_fcn, spread_at_once),
        mistake="the first block of a dilated stage has the new spread at once",
    ),
    Check(
        name="vision/unet",
        claim="U-Net against figure 1 of the paper by functions: logits and all gradients",
        package="torch",
        ours=partial(unet_quantities, lambda net, x: net(x)),
        reference=partial(unet_quantities, figure_1),
        control=partial(unet_quantities, partial(figure_1, crop_first=False)),
        mistake="the bridge after the enlarged map instead of before it",
    ),
    Check(
        name="vision/bilinear",
        claim="a transposed convolution with the bilinear kernel enlarges as F.interpolate does, away from the edge",
        package="torch",
        ours=our_enlargement,
        reference=their_enlargement,
        control=partial(their_enlargement, align_corners=True),
        mistake="corners aligned",
        tolerance=1e-6,
        why="the kernel is in float32",
        without="gradients: a linear map is its own",
    ),
    Check(
        name="vision/miou",
        claim="mIoU and IoU of each class over a split with void pixels, against torchmetrics' Jaccard index",
        package="torchmetrics",
        ours=our_iou,
        reference=their_iou,
        control=partial(their_iou, void=False),
        mistake="void pixels count as the first class",
        tolerance=1e-6,
        why="torchmetrics returns float32",
        without="gradients: a metric has none",
    ),
]
