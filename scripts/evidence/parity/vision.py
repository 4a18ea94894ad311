"""Detection against torchvision and pycocotools: boxes, suppression, anchors, assignment, the loss of SSD, precision."""

import contextlib
import io
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from lit_models.functional.boxes import VARIANCES, anchor_shapes, assign, decode, encode, grid_anchors, iou, suppress
from lit_models.vision.detector import average_precision, for_metric, precisions
from lit_models.vision.ssd import mined_loss, ssd_targets
from scripts.evidence.verify import Check, Tensors


def random_boxes(count: int, seed: int, batch: int = 0) -> Tensor:
    """Boxes (count, 4) in [0, 1], float64; (batch, count, 4) for a batch."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, count, 2) if batch else (count, 2)
    start = 0.8 * torch.rand(shape, generator=generator, dtype=torch.float64)
    size = 0.05 + 0.3 * torch.rand(shape, generator=generator, dtype=torch.float64)
    return torch.cat([start, (start + size).clamp(max=1)], -1)


# -- suppression ----------------------------------------------------------------------------------------------------


def crowd(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """200 boxes by falling score, in clusters, with three classes."""
    generator = torch.Generator().manual_seed(seed)
    centers = random_boxes(12, seed)
    boxes = centers[torch.randint(12, (200,), generator=generator)]
    boxes = boxes + 0.03 * torch.randn(200, 4, generator=generator, dtype=torch.float64)
    boxes = torch.cat([boxes[:, :2], torch.maximum(boxes[:, 2:], boxes[:, :2] + 0.01)], 1)
    scores = torch.rand(200, generator=generator, dtype=torch.float64).sort(descending=True).values
    return boxes, scores, torch.randint(3, (200,), generator=generator)


def our_kept() -> Tensors:
    found = {}
    for seed in range(4):
        boxes, _, labels = crowd(seed)
        kept = suppress(boxes[None], labels[None], torch.ones(1, 200, dtype=torch.bool), 0.4)
        found[f"kept {seed}"] = kept[0].double()
    return found


def their_kept(by_class: bool = True) -> Tensors:
    from torchvision.ops import batched_nms

    found = {}
    for seed in range(4):
        boxes, scores, labels = crowd(seed)
        kept = torch.zeros(200, dtype=torch.float64)
        kept[batched_nms(boxes, scores, labels if by_class else labels * 0, 0.4)] = 1
        found[f"kept {seed}"] = kept
    return found


# -- offsets and anchors --------------------------------------------------------------------------------------------


def coder_inputs() -> tuple[Tensor, Tensor, Tensor]:
    boxes, anchors = random_boxes(50, 1), random_boxes(50, 2)
    offsets = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 3
    return boxes.requires_grad_(), anchors, offsets.requires_grad_()


def coder_quantities(code: Any, back: Any) -> Tensors:
    boxes, anchors, offsets = coder_inputs()
    coded, decoded = code(boxes, anchors), back(offsets, anchors)
    weights = torch.linspace(-1, 1, 200, dtype=torch.float64).view(50, 4)
    ((coded + decoded) * weights).sum().backward()
    assert boxes.grad is not None and offsets.grad is not None
    return {
        "offsets": coded.detach(),
        "boxes": decoded.detach(),
        "grad boxes": boxes.grad,
        "grad offsets": offsets.grad,
    }


def their_coder(weights: tuple[float, ...] = (10.0, 10.0, 5.0, 5.0)) -> Tensors:
    from torchvision.models.detection._utils import BoxCoder

    coder = BoxCoder(weights=weights)  # type: ignore[arg-type]
    return coder_quantities(coder.encode_single, lambda offsets, anchors: coder.decode_single(offsets, anchors))


GRIDS = ((5, 7), (2, 3))


def our_anchors() -> Tensors:
    shapes = anchor_shapes((0.3, 0.4), (1.0, 2.0, 0.5))
    return {f"anchors {h} x {w}": grid_anchors(h, w, shapes).double() for h, w in GRIDS}


def their_anchors(shift: float = 0.0) -> Tensors:
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator

    generator = DefaultBoxGenerator(
        [[2]], scales=[0.3, 0.4**2 / 0.3], clip=False
    )  # the second size is a geometric mean
    found = {}
    for h, w in GRIDS:
        centers = generator._grid_default_boxes([[h, w]], [100, 100]).double()
        boxes = torch.cat([centers[:, :2] - centers[:, 2:] / 2, centers[:, :2] + centers[:, 2:] / 2], 1)
        found[f"anchors {h} x {w}"] = boxes - shift * torch.tensor([0.5 / w, 0.5 / h] * 2)
    return found


# -- assignment and loss --------------------------------------------------------------------------------------------


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Anchors (A, 4), objects (6, 4, 4) and labels (6, 4), some of which are padding, each with a best anchor of its own."""
    sizes = ((0.15, 0.2), (0.3, 0.4), (0.6, 0.8))
    shapes = [anchor_shapes(pair, (1.0, 2.0, 0.5)).double() for pair in sizes]
    anchors = torch.cat([grid_anchors(n, n, shape) for n, shape in zip((8, 4, 2), shapes, strict=True)])
    objects = random_boxes(400, 7, 1).view(100, 4, 4)
    best = iou(anchors, objects).argmax(1)
    apart = torch.tensor([len(row.unique()) == 4 for row in best])  # torchvision lets two objects share an anchor
    objects = objects[apart][:6]
    labels = torch.randint(3, (6, 4), generator=torch.Generator().manual_seed(8))
    labels[1, 2:], labels[2, 1:] = -1, -1
    return anchors, objects, labels


def our_assignment() -> Tensors:
    anchors, objects, labels = scene()
    return {"object of each anchor": assign(iou(anchors, objects), labels >= 0).double()}


def their_assignment(forced: bool = True) -> Tensors:
    from torchvision.models.detection._utils import Matcher, SSDMatcher
    from torchvision.ops import box_iou

    anchors, objects, labels = scene()
    matcher: Any = SSDMatcher(0.5) if forced else Matcher(0.5, 0.5, allow_low_quality_matches=False)
    rows = [matcher(box_iou(boxes[c >= 0], anchors)) for boxes, c in zip(objects, labels, strict=True)]
    return {"object of each anchor": torch.stack(rows).double()}


def network_output() -> tuple[Tensor, Tensor]:
    anchors, objects, _ = scene()
    generator = torch.Generator().manual_seed(9)
    sizes = (len(objects), len(anchors))
    logits = torch.randn(*sizes, 4, dtype=torch.float64, generator=generator)
    return logits.requires_grad_(), torch.randn(*sizes, 4, dtype=torch.float64, generator=generator).requires_grad_()


def loss_quantities(loss: Tensor, logits: Tensor, offsets: Tensor) -> Tensors:
    loss.backward()
    assert logits.grad is not None and offsets.grad is not None
    return {"loss": loss.detach(), "grad logits": logits.grad, "grad offsets": offsets.grad}


def our_loss() -> Tensors:
    anchors, objects, labels = scene()
    logits, offsets = network_output()
    classes, targets = ssd_targets(anchors, objects, torch.zeros_like(labels, dtype=torch.bool), labels)
    matched = classes > 0
    counts = matched.sum(1).clamp(min=1)
    distance = torch.nn.functional.smooth_l1_loss(offsets, targets, reduction="none").sum(2)
    loss = (mined_loss(logits, classes, counts) + (distance * matched).sum()) / counts.sum()
    return loss_quantities(loss, logits, offsets)


def their_loss(negatives: float = 3.0) -> Tensors:
    from torchvision.models.detection._utils import BoxCoder
    from torchvision.models.detection.ssd import SSD

    anchors, objects, labels = scene()
    logits, offsets = network_output()
    stub: Any = SimpleNamespace(box_coder=BoxCoder(weights=(10.0, 10.0, 5.0, 5.0)), neg_to_pos_ratio=negatives)
    targets = [{"boxes": b[c >= 0], "labels": c[c >= 0] + 1} for b, c in zip(objects, labels, strict=True)]
    matched = [row.long() for row in their_assignment()["object of each anchor"]]
    outputs = {"bbox_regression": offsets, "cls_logits": logits}
    losses = SSD.compute_loss(stub, targets, outputs, [anchors] * len(objects), matched)
    return loss_quantities(losses["bbox_regression"] + losses["classification"], logits, offsets)


# -- average precision ----------------------------------------------------------------------------------------------


def judged() -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Detections and objects of eight pictures: equal scores, crowds, pictures without objects or without detections."""
    generator = torch.Generator().manual_seed(11)
    objects = random_boxes(6, 12, 8).float()
    labels = torch.randint(3, (8, 6), generator=generator)
    ignored = torch.rand(8, 6, generator=generator) < 0.2
    labels[3], labels[5, 3:] = -1, -1
    found = (objects.repeat(1, 2, 1) + 0.03 * torch.randn(8, 12, 4, generator=generator)).clamp(0, 1)
    found = torch.cat([found[..., :2], torch.maximum(found[..., 2:], found[..., :2] + 0.01)], -1)
    found_labels = labels.clamp(min=0).repeat(1, 2)
    wrong = torch.rand(8, 12, generator=generator) < 0.2
    found_labels[wrong] = (found_labels[wrong] + 1) % 3
    found_labels[6] = -1
    scores = (torch.rand(8, 12, generator=generator) * 10).round() / 10  # ties
    return (found, scores, found_labels), (objects, ignored, labels)


def our_precision() -> Tensors:
    found, truth = judged()
    metric = average_precision()
    metric.update(*for_metric(found, truth, 100))
    return {name: value.double() for name, value in precisions(metric, 3).items()}


def their_precision(crowds: bool = True) -> Tensors:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    (found, scores, found_labels), (objects, ignored, labels) = judged()
    truth, results = [], []
    for i in range(8):
        for box, ignore, label in zip(objects[i] * 100, ignored[i], labels[i], strict=True):
            if label >= 0:
                x, y, right, bottom = box.tolist()
                size = [x, y, right - x, bottom - y]
                known = {"id": len(truth) + 1, "image_id": i, "category_id": int(label)}
                truth.append(known | {"bbox": size, "area": size[2] * size[3], "iscrowd": int(ignore and crowds)})
        for box, score, label in zip(found[i] * 100, scores[i], found_labels[i], strict=True):
            if label >= 0:
                x, y, right, bottom = box.tolist()
                size = [x, y, right - x, bottom - y]
                results.append({"image_id": i, "category_id": int(label), "bbox": size, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        categories = [{"id": k, "name": str(k)} for k in range(3)]
        coco.dataset = {"images": [{"id": i} for i in range(8)], "annotations": truth, "categories": categories}
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    table = torch.from_numpy(judge.eval["precision"])[0, :, :, 0, -1]
    by_class = {f"map50_{k}": table[:, k].mean() for k in range(3)}
    stats = torch.from_numpy(judge.stats)
    return {"map": stats[0], "map50": stats[1], **by_class}


# -- the book's example ---------------------------------------------------------------------------------------------


def our_example() -> Tensors:
    truth = torch.tensor([[[0.1, 0.08, 0.52, 0.92], [0.55, 0.2, 0.9, 0.88]]])
    anchors = [
        [0, 0.1, 0.2, 0.3],
        [0.15, 0.2, 0.4, 0.4],
        [0.63, 0.05, 0.88, 0.98],
        [0.66, 0.45, 0.8, 0.8],
        [0.57, 0.3, 0.92, 0.9],
    ]
    priors = torch.tensor(anchors)
    valid = torch.ones(1, 2, dtype=torch.bool)
    classes, offsets = ssd_targets(priors, truth, ~valid, torch.tensor([[0, 1]]))
    assert bool(valid.all())
    return {"classes": classes[0].double(), "offsets": offsets[0].double() * (classes[0] > 0)[:, None]}


def book_example(eps: float = 1e-6, variances: tuple[float, ...] = VARIANCES) -> Tensors:
    """D2L 14.4.3: what the book prints, three digits of each."""
    zero = [0.0] * 4
    printed = [zero, [1.40, 10.0, 2.59, 7.18], [-1.20, 0.269, 1.68, -1.57], zero, [-0.571, -1.0, 4.17e-6, 0.626]]
    offsets = torch.tensor(printed, dtype=torch.float64)
    return {
        "classes": torch.tensor([0, 1, 2, 0, 2], dtype=torch.float64),
        "offsets": offsets * torch.tensor(variances) / torch.tensor(VARIANCES) + eps,
    }


CHECKS = [
    Check(
        name="vision/nms",
        claim="which of 200 clustered boxes are kept, against torchvision.ops.batched_nms",
        package="torchvision",
        ours=our_kept,
        reference=their_kept,
        control=partial(their_kept, by_class=False),
        mistake="suppression across classes, as the book's",
        without="gradients: a choice has none",
    ),
    Check(
        name="vision/box_coder",
        claim="offsets from anchors to boxes and back, against torchvision's BoxCoder",
        package="torchvision",
        ours=partial(coder_quantities, encode, decode),
        reference=their_coder,
        control=partial(their_coder, weights=(5.0, 5.0, 10.0, 10.0)),
        mistake="the variances of place and size exchanged",
    ),
    Check(
        name="vision/anchors",
        claim="anchors of two sizes and three ratios, against torchvision's DefaultBoxGenerator",
        package="torchvision",
        ours=our_anchors,
        reference=their_anchors,
        control=partial(their_anchors, shift=1.0),
        mistake="anchors around the corners of the cells",
        tolerance=1e-6,
        why="torchvision computes its anchors in float32",
        without="gradients: anchors are constants",
    ),
    Check(
        name="vision/assignment",
        claim="the object of each anchor, with padding, against torchvision's SSDMatcher",
        package="torchvision",
        ours=our_assignment,
        reference=their_assignment,
        control=partial(their_assignment, forced=False),
        mistake="objects that no anchor overlaps by a half are lost",
        without="gradients: a choice has none",
    ),
    Check(
        name="vision/ssd_loss",
        claim="the loss of SSD with its hard negatives, and its gradients, against torchvision's SSD.compute_loss",
        package="torchvision",
        ours=our_loss,
        reference=their_loss,
        control=partial(their_loss, negatives=1e9),
        mistake="all of the background instead of the hardest three per object, as in the book",
    ),
    Check(
        name="vision/average_precision",
        claim="mAP and mAP of each class on ties, crowds and empty pictures, against pycocotools itself",
        package="pycocotools",
        ours=our_precision,
        reference=their_precision,
        control=partial(their_precision, crowds=False),
        mistake="crowds count as objects",
        tolerance=1e-6,
        why="torchmetrics returns float32",
        without="gradients: a metric has none",
    ),
    Check(
        name="vision/book_example",
        claim="classes and offsets of five anchors for a dog and a cat, against the numbers printed in D2L 14.4.3",
        package="torch",
        ours=our_example,
        reference=partial(book_example, eps=0.0),
        control=partial(book_example, eps=0.0, variances=(0.2, 0.2, 0.1, 0.1)),
        mistake="the variances of place and size exchanged",
        tolerance=6e-3,
        why="the book prints three digits",
        without="gradients: numbers out of a book",
    ),
]
