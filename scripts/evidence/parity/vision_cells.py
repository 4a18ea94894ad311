"""Counting cells: from a network's output to counts, against torchvision; thresholds, errors, against scikit-learn."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_models.functional.counting import count_errors, unbiased_thresholds
from lit_models.vision.cells import LitCells
from scripts.evidence.verify import Check, Tensors

SIZES: dict[str, Any] = {"widths": [4, 8], "channels": 8, "sizes": [[0.1, 0.15], [0.3, 0.4], [0.7, 0.9]]}


def model() -> LitCells:
    torch.manual_seed(0)
    lit = LitCells(num_classes=3, in_channels=3, image_size=64, most=2000, **SIZES).double().eval()
    lit.thresholds.copy_(torch.tensor([0.27, 0.3, 0.33]))  # between the scores of an untrained network
    return lit


def pictures() -> Tensor:
    return torch.rand(4, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()


def quantities(lit: LitCells, x: Tensor, counts: Tensor) -> Tensors:
    """The counts, and the gradient of the network's output with respect to the pictures."""
    logits, offsets = lit(x)
    (logits.softmax(2)[..., 1:].square().sum() + offsets.square().sum()).backward()
    assert x.grad is not None
    return {"counts": counts.double(), "grad pictures": x.grad}


def our_counts() -> Tensors:
    lit, x = model(), pictures()
    with torch.no_grad():
        counts = lit.count(x)
    return quantities(lit, x, counts)


def their_counts(by_class: bool = True) -> Tensors:
    from torchvision.models.detection._utils import BoxCoder
    from torchvision.ops import batched_nms, clip_boxes_to_image

    lit, x = model(), pictures()
    logits, offsets = (part.detach().float() for part in lit(x))
    coder = BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
    counts = torch.zeros(len(x), 3)
    for row in range(len(x)):
        boxes = clip_boxes_to_image(coder.decode_single(offsets[row], lit.anchors().float()), (1, 1))
        scores = logits[row].softmax(1)[:, 1:]
        best, order = scores.flatten().sort(descending=True)
        labels, boxes = order % 3, boxes[order // 3]
        kept = batched_nms(boxes, best, labels if by_class else labels * 0, 0.45)
        for k in range(3):
            counts[row, k] = ((labels[kept] == k) & (best[kept] >= lit.thresholds[k].float())).sum()
    return quantities(lit, x, counts)


def judged() -> tuple[Tensor, Tensor, Tensor]:
    """Scores (300,) and labels (300,) of detections, objects (2,) of each class."""
    generator = torch.Generator().manual_seed(2)
    scores = torch.rand(300, dtype=torch.float64, generator=generator)
    return scores, torch.randint(2, (300,), generator=generator), torch.tensor([40, 90])


def tables() -> tuple[Tensor, Tensor]:
    """Counts found and true, (50, 2)."""
    generator = torch.Generator().manual_seed(3)
    true = torch.randint(1, 12, (50, 2), generator=generator)
    return true + torch.randint(-2, 3, (50, 2), generator=generator), true


def our_thresholds() -> Tensors:
    errors = count_errors(*tables())
    return {
        "thresholds": unbiased_thresholds(*judged()).double(),
        "errors": torch.stack(list(errors.values())).double(),
    }


def their_thresholds(absolute: bool = True) -> Tensors:
    """By scikit-learn: where the recall of all detections, taken as right, reaches the number of objects."""
    from sklearn.metrics import mean_absolute_error, precision_recall_curve

    scores, labels, totals = judged()
    found = []
    for k, total in enumerate(totals.tolist()):
        mine = scores[labels == k].numpy()
        _, recall, thresholds = precision_recall_curve(np.ones(len(mine)), mine)
        detections = np.rint(recall[:-1] * len(mine)).astype(int)
        at = {n: thresholds[detections == n][0] for n in (total, total + 1)}
        found.append((at[total] + at[total + 1]) / 2)
    guessed, true = (table.numpy() for table in tables())
    mean = mean_absolute_error if absolute else lambda one, other: abs(float((other - one).mean()))
    errors = [mean(true.ravel(), guessed.ravel()) / true.mean()]
    for k in range(2):
        errors += [
            mean(true[:, k], guessed[:, k]) / true[:, k].mean(),
            (guessed - true)[:, k].mean() / true[:, k].mean(),
        ]
    return {"thresholds": torch.tensor(found), "errors": torch.tensor(errors)}


CHECKS = [
    Check(
        name="vision/cells_counts",
        claim="from pictures to counts of three classes, against torchvision's BoxCoder and batched_nms",
        package="torchvision",
        ours=our_counts,
        reference=their_counts,
        control=lambda: their_counts(by_class=False),
        mistake="boxes of different classes suppress each other: a platelet on a red cell is not counted",
    ),
    Check(
        name="vision/cells_thresholds",
        claim="thresholds with as many detections as objects, and relative errors of counts, against scikit-learn",
        package="scikit-learn",
        ours=our_thresholds,
        reference=their_thresholds,
        control=lambda: their_thresholds(absolute=False),
        mistake="errors of different signs cancel out: the bias is taken for the error",
        tolerance=1e-6,
        why="thresholds and errors are float32",
        without="gradients: counts have none",
    ),
]
