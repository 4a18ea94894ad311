"""Average precision against pycocotools itself, and the anchors of the book's worked example."""

import contextlib
import io
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_models.functional.boxes import VARIANCES
from lit_models.vision.detector import average_precision, for_metric, precisions
from lit_models.vision.ssd import ssd_targets
from scripts.evidence.parity.vision import random_boxes
from scripts.evidence.verify import Check, Tensors

# -- average precision ----------------------------------------------------------------------------------------------


def judged() -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Detections and objects of eight pictures: equal scores, crowds, pictures without objects or without
    detections.
    """
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
    truth: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
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
