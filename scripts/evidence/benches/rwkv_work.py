"""What the sides of ``benches/rwkv.py`` and ``benches/rwkv_generation.py`` share: sizes, turns, networks."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from lit_models.rwkv.rwkv import VersionedRWKV, rwkv

VERSIONS = (4, 5, 6, 7)
NAMES = {4: "RWKV-4", 5: "RWKV-5.2", 6: "RWKV-6", 7: "RWKV-7"}
VOCABULARY, HEAD = 1000, 64
TOLERANCE = 1e-3  # of logits of scale 1 to 4 in float32
Row = dict[str, Any]
Side = Callable[[], int]  # does the work; returns the number of tokens


@dataclass(frozen=True)
class Work:
    """How much is done.

    Args:
        width, layers: Of the networks.
        rows, length: Of a batch in training, B and T.
        tokens: That a turn generates.
        prompt: Tokens of a prefilled text.
        far: Tokens before the late ones of a long text.
        steps, warmup: Of training.
    """

    width: int = 256
    layers: int = 6
    rows: int = 8
    length: int = 128
    tokens: int = 64
    prompt: int = 512
    far: int = 100_000
    steps: int = 20
    warmup: int = 2


WORK = Work()


@cache
@torch.inference_mode(False)
def network(version: int, work: Work) -> VersionedRWKV:
    """Random weights for which everything matters, in evaluation mode."""
    torch.manual_seed(version)
    net = rwkv(VOCABULARY, version, work.width, work.layers, min(HEAD, work.width))  # type: ignore[arg-type]
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name.endswith(("weight", "bias", "1", "2")):
                p.add_(0.05 * torch.randn_like(p))
    return net.eval()


def turns(workload: str, threads: int, sides: dict[str, Side], repeats: int, say: Callable[[str], None]) -> list[Row]:
    """The sides take turns after one that warms up."""
    table: dict[str, Row] = {}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            tokens = side()
            rate = tokens / (time.perf_counter() - start)
            if turn:
                facts = {"workload": workload, "threads": threads, "side": name, "steps": tokens, "samples": tokens}
                table.setdefault(name, facts | {"rates": []})["rates"].append(rate)
                say(f"{workload}, {threads} threads, {name}: {rate:,.0f} tokens/s")
    return list(table.values())


def same(what: str, first: Tensor, second: Tensor, tolerance: float = TOLERANCE) -> None:
    """Raises ``RuntimeError`` where two sides compute different numbers."""
    difference = float((first - second).abs().max())
    if not difference <= tolerance * max(1.0, float(first.abs().max())):
        raise RuntimeError(f"{what}: the sides differ by {difference:.2g}")
