"""Detection and segmentation: assignment and loss, steps, detections, augmentation, each against its usual form.

- ``assignment and loss``: targets and loss of a batch at the book's 5,444 anchors against the book's manner, picture by
  picture and object by object (D2L 14.4 and 14.7), here with our loss over its targets.
- ``tiny ssd``, ``u-net``: our recipes against the shortest loop around the same network and loss.
- ``detections``: decoding and suppression of a batch against ``torchvision.ops.batched_nms`` on each picture, on the
  same candidates; both keep the same boxes, or the bench fails.
- ``pictures and boxes``: random changes of a batch against torchvision's v2 transforms of single pictures.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import batched_nms

from datamodules.vision.augmentation import Augmentation, Pictures
from datamodules.vision.objects import flip_with_boxes
from lit_models.functional.boxes import decode, detections, encode, iou
from lit_models.vision.ssd import TinySSD, mined_loss, ssd_loss
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Detection and segmentation",
    """\
Sixteen pictures of 3 x 256 x 256 with up to eight objects. `assignment and loss`: TinySSD's 5,444 anchors, six classes;
`book` looks for the best pair of anchor and object once for each object of each picture, and both sides have the same
loss, or the bench fails. `tiny ssd` and `u-net`: `vision/ssd` and `vision/unet` as `dive fit` runs them, and the
shortest loop around the same network, loss and optimizer. `detections`: softmax, decoding and suppression by class;
`torchvision` is `batched_nms` on each picture, and both keep the same boxes. `pictures and boxes`: flip, scale, shift,
rotation and colors of 96 x 96 pixels; `torchvision` is its v2 transforms on single pictures.""",
    "samples",
    (
        Goal("assignment and loss", "book", 10.0, None, "all objects of all pictures at once"),
        Goal("tiny ssd", "bare", 0.95, None, "steps of tens of milliseconds"),
        Goal("u-net", "bare", 0.95, None, "the same"),
        Goal("detections", "torchvision", 0.83, None, "at most 1.2 times torchvision's compiled loop"),
        Goal("pictures and boxes", "torchvision", 5.0, None, "one affine map for a whole batch"),
    ),
)
BATCH, CLASSES, OBJECTS, SIDE = 16, 6, 8, 256
SMALL = 96  # pixels of the pictures that are changed, as in the recipes
TRAINED = 400  # pictures
STEPS, WARMUP = 12, 2
BEST, LEAST, OVERLAP, MOST = 200, 0.01, 0.5, 100  # candidates, scores, overlap, detections: those of ``detections``
CHANGES = {"flip": 0.5, "scale": 0.3, "shift": 0.1, "rotate": 10.0, "color": 0.3}
Row = dict[str, Any]
Side = Callable[[Clock], Any]


@cache
def scene() -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Logits and offsets of 5,444 anchors, the anchors, and a batch of pictures with objects; always the same."""
    generator = torch.Generator().manual_seed(0)
    anchors = TinySSD(num_classes=CLASSES, image_size=SIDE).anchors
    corner, size = (torch.rand(BATCH, OBJECTS, 2, generator=generator) for _ in range(2))
    boxes = torch.cat([corner * 0.7, corner * 0.7 + 0.05 + size * 0.25], 2)
    labels = torch.randint(CLASSES, (BATCH, OBJECTS), generator=generator)
    labels[torch.rand(BATCH, OBJECTS, generator=generator) < 0.3] = -1
    x = torch.rand(BATCH, 3, SIDE, SIDE, generator=generator)
    output = torch.randn(BATCH, len(anchors), 1 + CLASSES + 4, generator=generator)
    return output, anchors, (x, boxes, torch.zeros(BATCH, OBJECTS, dtype=torch.bool), labels)


def repeat(clock: Clock, work: Callable[[], Any]) -> None:
    while not clock.done:
        work()
        clock.tick(BATCH)


# -- assignment and loss ----------------------------------------------------------------------------------------------


def loss_of_batch() -> Tensor:
    output, anchors, batch = scene()
    return ssd_loss((output[..., :-4], output[..., -4:]), anchors, batch)[0]


def loss_of_pictures() -> Tensor:
    """In the book's manner: picture by picture, the best pair of anchor and object is looked for once for each object,
    and all anchors have offsets.
    """
    output, anchors, (_, boxes, _, labels) = scene()
    classes, offsets = [], []
    for own, kinds in zip(boxes, labels, strict=True):
        own, kinds = own[kinds >= 0], kinds[kinds >= 0]
        found = targets_by_object(iou(anchors, own)) if len(own) else torch.full((len(anchors),), -1)
        place = found >= 0
        kind, matched = torch.zeros(len(anchors), dtype=torch.long), anchors.clone()
        kind[place], matched[place] = kinds[found[place]] + 1, own[found[place]]
        classes.append(kind)
        offsets.append(encode(matched, anchors))
    kind, wanted = torch.stack(classes), torch.stack(offsets)
    counts = (kind > 0).sum(1).clamp(min=1)
    distance = F.smooth_l1_loss(output[..., -4:], wanted, reduction="none").sum(2)
    return (mined_loss(output[..., :-4], kind, counts) + (distance * (kind > 0)).sum()) / counts.sum()


def targets_by_object(overlaps: Tensor, threshold: float = 0.5) -> Tensor:
    """The object of each anchor (A,), -1 for none, from the overlaps (A, M)."""
    most, best = overlaps.max(1)
    found = torch.where(most >= threshold, best, -1)
    left = overlaps.clone()
    for _ in range(overlaps.shape[1]):
        anchor, thing = divmod(int(left.argmax()), overlaps.shape[1])
        found[anchor] = thing
        left[anchor], left[:, thing] = -1.0, -1.0
    return found


# -- steps ------------------------------------------------------------------------------------------------------------


def recipe(name: str) -> tuple[Any, Any]:
    """A recipe's model, channels-last as it runs, and its data with fewer pictures."""
    sizes = f"--data.train_size {TRAINED} --data.val_size 16 --data.test_size 16"
    _, model, data = build([name, *sizes.split()])
    return model.to(memory_format=torch.channels_last), data


def train_ours(name: str, clock: Clock) -> None:
    ours.fit(*recipe(name), clock)


def train_bare(name: str, clock: Clock) -> None:
    """The shortest loop around the same network, loss and optimizer; pictures are mirrored as in the recipe."""
    model, data = recipe(name)
    data.setup("fit")
    splits, net = data.splits["train"], model.net.train()
    optimizer = model.optimizer(net.parameters())
    for batch in clock.batches(lambda: batches(splits, data.batch_size)):
        optimizer.zero_grad()
        bare_loss(net, batch).backward()
        optimizer.step()
        clock.tick(len(batch[0]))


def batches(splits: tuple[Tensor, ...], size: int) -> Iterator[tuple[Tensor, ...]]:
    for index in torch.randperm(len(splits[0])).split(size):
        images, *rest = (part.index_select(0, index) for part in splits)
        x, flip = images * (1 / 255), torch.rand(len(index)) < 0.5
        if len(rest) == 3:
            x, boxes = flip_with_boxes(x, rest[0], flip)
            rest = [boxes, *rest[1:]]
        else:
            x = torch.where(flip.view(-1, 1, 1, 1), x.flip(-1), x)
            rest = [torch.where(flip.view(-1, 1, 1), rest[0].flip(-1), rest[0]).long()]
        yield x.contiguous(memory_format=torch.channels_last), *rest


def bare_loss(net: Any, batch: tuple[Tensor, ...]) -> Tensor:
    if len(batch) == 4:
        return ssd_loss(net(batch[0]), net.anchors, batch)[0]
    return F.cross_entropy(net(batch[0]), batch[1])


# -- detections and augmentation --------------------------------------------------------------------------------------


def found_in_batch() -> list[Tensor]:
    """The boxes of each picture."""
    output, anchors, _ = scene()
    scores = output[..., :-4].softmax(2)[..., 1:]
    boxes, _, labels = detections(scores, output[..., -4:], anchors, LEAST, OVERLAP, BEST, MOST)
    return [own[kinds >= 0] for own, kinds in zip(boxes, labels, strict=True)]


def found_in_pictures() -> list[Tensor]:
    """The same, suppressed by torchvision, picture by picture."""
    output, anchors, _ = scene()
    found = []
    for own in output:
        scores, order = own[:, :-4].softmax(1)[:, 1:].flatten().topk(BEST)
        labels, place = order % CLASSES, order // CLASSES
        boxes = decode(own[place, -4:], anchors[place]).clamp(0, 1)
        good = scores >= LEAST
        kept = batched_nms(boxes[good], scores[good], labels[good], OVERLAP)[:MOST]
        found.append(boxes[good][kept])
    return found


def augment_ours() -> None:
    _, _, (x, boxes, ignored, labels) = scene()
    Augmentation(**CHANGES)(Pictures(x[..., :SMALL, :SMALL], boxes, ignored, labels))


def augment_singly() -> None:
    """torchvision's v2 transforms, which draw once for all that they are given: picture by picture."""
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    color, largest = CHANGES["color"], 1 + CHANGES["scale"]
    change = v2.Compose(
        [
            v2.RandomHorizontalFlip(CHANGES["flip"]),
            v2.RandomAffine(
                CHANGES["rotate"], (CHANGES["shift"],) * 2, (1 / largest, largest), None, v2.InterpolationMode.BILINEAR
            ),
            v2.ColorJitter(color, color, color),
        ]
    )
    boxed: Any = tv_tensors.BoundingBoxes
    _, _, (x, boxes, _, labels) = scene()
    for image, own, kinds in zip(x[..., :SMALL, :SMALL], boxes, labels, strict=True):
        places = boxed(own[kinds >= 0] * SMALL, format="XYXY", canvas_size=(SMALL, SMALL))
        change(tv_tensors.Image(image), places)


def cases() -> dict[str, tuple[dict[str, Side], int]]:
    """The sides of each workload and their timed steps."""

    def pair(name: str, batch: Callable[[], Any], singly: Callable[[], Any]) -> dict[str, Side]:
        return {"ours": partial(repeat, work=batch), name: partial(repeat, work=singly)}

    def steps(name: str) -> dict[str, Side]:
        return {"ours": partial(train_ours, name), "bare": partial(train_bare, name)}

    return {
        "assignment and loss": (pair("book", loss_of_batch, loss_of_pictures), STEPS),
        "tiny ssd": (steps("vision/ssd"), 4 * STEPS),
        "u-net": (steps("vision/unet"), 4 * STEPS),
        "detections": (pair("torchvision", found_in_batch, found_in_pictures), 4 * STEPS),
        "pictures and boxes": (pair("torchvision", augment_ours, augment_singly), STEPS),
    }


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: int | None = None, warmup: int = WARMUP
) -> list[Row]:
    """Pictures a second of each side in each turn.

    Raises:
        RuntimeError: The two sides of a workload have different results.
    """
    torch.set_num_threads(threads)
    check()
    rows: list[Row] = []
    for workload, (sides, usual) in cases().items():
        rows += take_turns(workload, threads, sides, repeats, steps or usual, warmup, say)
    return rows


def check() -> None:
    if not torch.isclose(loss_of_batch(), loss_of_pictures(), rtol=1e-4):
        raise RuntimeError("assignment and loss: the two sides have different losses")
    both = zip(found_in_batch(), found_in_pictures(), strict=True)
    if not all(a.shape == b.shape and torch.allclose(a, b, atol=1e-6) for a, b in both):
        raise RuntimeError("detections: the two sides keep different boxes")
