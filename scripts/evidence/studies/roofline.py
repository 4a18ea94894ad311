"""Where the networks of the project stand under the roof of this machine (Williams, Waterman and Patterson 2009).

A step moves bytes and does operations; it takes at least the time of either. So operations a second are at most the
processor's (a product of large matrices, measured) and at most intensity times bandwidth (a copy of a tensor larger
than the caches, measured), where the intensity is operations for each byte. The forward and the backward pass of a
recipe's loss on one batch are counted and timed, without the optimizer:

- operations: ``torch.utils.flop_counter``: matrix products, convolutions, attention; the rest counts as nothing;
- bytes: weights three times (read by both passes, the gradient written), what the forward pass keeps for the backward
  pass twice (written, read), the batch once. Less is hardly possible without caches; small networks stay inside of
  these and may come above the slope.
"""

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from scripts.evidence.studies import hardware
from scripts.evidence.studies.work import Row, Setting, Training, seconds, training
from scripts.front.costs import kept_by

RECIPES = [
    *("linear/softmax_regression", "mlp/mlp", "cnn/lenet", "cnn/alexnet", "cnn/vgg", "cnn/googlenet", "cnn/resnet"),
    *("cnn/densenet", "attention/transformer", "attention/gpt", "attention/vit", "bert/bert", "vision/unet"),
    *("rwkv/rwkv", "diffusion/digits"),
]
SMALL = ["linear/softmax_regression", "cnn/lenet"]


def count(work: Training) -> tuple[int, int]:
    """Operations and bytes of both passes."""
    counter = FlopCounterMode(display=False)
    with counter:
        work.loss().backward()
    known = [*work.model.parameters(), *work.model.buffers(), *(t for t in work.batch if isinstance(t, torch.Tensor))]
    kept = kept_by(work.loss, known)
    weights = sum(p.numel() * p.element_size() for p in work.model.parameters())
    batch = sum(t.numel() * t.element_size() for t in work.batch if isinstance(t, torch.Tensor))
    return counter.get_total_flops(), 3 * weights + 2 * kept + batch


def network(recipe: str, setting: Setting) -> Row:
    """One network's point."""
    torch.manual_seed(0)
    work = training([recipe])
    operations, moved = count(work)

    def passes() -> None:
        work.loss().backward()
        work.optimizer.zero_grad()

    taken = seconds(passes, setting.threads, 0.05 if setting.small else 1.0)
    facts: dict[str, Any] = {"kind": "network", "network": type(work.model.net).__name__, "recipe": recipe}
    facts |= {"parameters": work.parameters, "batch": len(work.batch[0])}
    return facts | {"operations": operations, "bytes": moved, "seconds": taken}


def roof(rows: list[Row], intensity: float) -> float:
    """The most operations a second at an intensity, by the measured ``roof`` among the rows."""
    (found,) = (row for row in rows if row["kind"] == "roof")
    return float(min(found["rate"], intensity * found["bandwidth"]))


def measure(setting: Setting) -> list[Row]:
    """The roof, and a row for each network."""
    size, side = (2**22, 256) if setting.small else (2**28, 2048)
    highest = hardware.arithmetic(setting.threads, torch.float32, side)
    rows: list[Row] = [
        {"kind": "roof", "rate": highest, "bandwidth": hardware.bandwidth(setting.threads, size)},
    ]
    for recipe in setting.recipes or (SMALL if setting.small else RECIPES):
        rows.append(row := network(recipe, setting))
        rate = row["operations"] / row["seconds"]
        under = rate / roof(rows, row["operations"] / row["bytes"])
        setting.say(f"{recipe}: {rate / 1e9:.1f} billion operations a second, {100 * under:.0f} % of the roof")
    return rows
