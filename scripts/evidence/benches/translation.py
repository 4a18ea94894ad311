"""Training the book's transformer (2 layers of 256): the recipe as ``dive fit`` runs it against the bare loop.

The texts are copies: random tokens whose target is the source, so that something is learned and the loss is meaningful.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.parallel_text.parallel_text import ParallelText
from lit_models.attention.transformer import Transformer
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Training the book's transformer",
    """\
2 layers of 256 on random texts of up to 9 tokens, whose target is a copy: `attention/transformer_fra_eng` as `dive fit`
runs it, and the bare loop with the same steps, clipping included; then both in bf16 (autocast). The final loss is that
after the same number of steps, measured in single precision.""",
    "samples",
    (Goal("transformer", "bare", 0.95, None, "the book's transformer in single precision"),),
)
RECIPE, WORKLOAD = "attention/transformer_fra_eng", "transformer"
VOCABULARY, LENGTH, ROWS, BATCH, RATE, CLIP = 200, 9, 4096, 128, 0.001, 1.0  # the recipe's
STEPS, WARMUP = 40, 5
Row = dict[str, Any]


@cache
def copies() -> tuple[Tensor, ...]:
    """(source, source_length, target_in, target_out), int32, lengths of 4 to 9 with the end."""
    generator = torch.Generator().manual_seed(0)
    length = torch.randint(4, LENGTH + 1, (ROWS,), generator=generator)
    place, draw = torch.arange(LENGTH), torch.randint(4, VOCABULARY, (ROWS, LENGTH), generator=generator)
    source = torch.where(place == length[:, None] - 1, 2, draw).masked_fill(place >= length[:, None], 0)
    target_in = torch.cat([torch.ones(ROWS, 1, dtype=torch.long), source[:, :-1]], 1)
    target_in = target_in.masked_fill(place >= length[:, None], 0)
    return tuple(t.int() for t in (source, length, target_in, source))


class Copies(ParallelText):
    """The copies instead of the recipe's texts."""

    def __init__(
        self,
        source_vocab_size: int = VOCABULARY,
        target_vocab_size: int = VOCABULARY,
        max_length: int = LENGTH,
        **parallel: Any,
    ) -> None:
        super().__init__(source_vocab_size, target_vocab_size, max_length, **parallel)

    def processor(self) -> dict[str, Any]:
        return {}  # no words, no tokenizers

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        return {"train": copies(), "val": tuple(t[:1] for t in copies())}


def final_loss(net: nn.Module) -> float:
    """The mean cross-entropy of the last 512 copies in nats, in single precision, without dropout."""
    *inputs, target = (t[-512:].long() for t in copies())
    with torch.no_grad():
        logits = net.eval()(*inputs)
    return float(F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0))


def train_ours(clock: Clock, bf16: bool) -> nn.Module:
    model: Any
    seed = str(torch.initial_seed())  # the turn's, as for the bare loop: else each turn trains the recipe's own seed
    _, model, data = build([RECIPE, "--data", f"{Copies.__module__}.{Copies.__name__}", "--seed_everything", seed])
    precision = "bf16-mixed" if bf16 else "32-true"
    ours.fit(model, data, clock, gradient_clip_val=CLIP, precision=precision)
    return model.net


def batches() -> Iterator[tuple[Tensor, ...]]:
    while True:
        for index in torch.randperm(ROWS).split(BATCH):
            source, length, *targets = (t.index_select(0, index) for t in copies())
            longest = int(length.max())
            yield tuple(t.long() for t in (source[:, :longest], length, *(t[:, :longest] for t in targets)))


def train_bare(clock: Clock, bf16: bool) -> nn.Module:
    """The same network and steps: whole batches by ``index_select``, cut to the longest, clipped, fused Adam."""
    net = Transformer(VOCABULARY, VOCABULARY)
    optimizer = torch.optim.Adam(net.parameters(), RATE, fused=True)
    for *inputs, target in batches():
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            logits = net(*inputs)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), target.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        clock.tick(len(target))
        if clock.done:
            break
    return net


SIDES: dict[str, Callable[[Clock], nn.Module]] = {
    "bare": partial(train_bare, bf16=False),
    "ours": partial(train_ours, bf16=False),
    "bare bf16": partial(train_bare, bf16=True),
    "ours bf16": partial(train_ours, bf16=True),
}


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: int = STEPS, warmup: int = WARMUP
) -> list[Row]:
    """Samples a second of each side in each turn, and the loss it reached."""
    torch.set_num_threads(threads)

    def with_loss(side: Callable[[Clock], nn.Module], clock: Clock) -> float:
        return final_loss(side(clock))

    sides = {name: partial(with_loss, side) for name, side in SIDES.items()}
    return take_turns(WORKLOAD, threads, sides, repeats, steps, warmup, say)
