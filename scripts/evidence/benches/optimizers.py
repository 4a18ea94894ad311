"""One optimizer step on ResNet-18's parameters: ours, torch's foreach, torch's fused. The gradients are random."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.optimization.adam import Adam, AdamW
from lit_models.optimization.sgd import SGD
from scripts.evidence.benches.part import Goal, Part

PART = Part(
    "A step of an optimizer",
    """\
One step for the 11,689,512 parameters of ResNet-18, in steps/s: ours, torch's `foreach` of the same optimizer, and its
`fused` kernel, which is the limit.""",
    "steps",
    (
        Goal("SGD momentum", "foreach", 0.83, 1, "our own arithmetic on lists of tensors, within 1.2 times torch's"),
        Goal("Adam", "foreach", 0.83, 1, "the same"),
        Goal("AdamW", "foreach", 0.83, 1, "the same"),
    ),
)
Row = dict[str, Any]
Make = Callable[..., torch.optim.Optimizer]
STEPS = 10
PAIRS: dict[str, tuple[Make, Make]] = {
    "SGD momentum": (partial(SGD, lr=1e-3, momentum=0.9), partial(torch.optim.SGD, lr=1e-3, momentum=0.9)),
    "Adam": (Adam, torch.optim.Adam),
    "AdamW": (AdamW, torch.optim.AdamW),
}


def network() -> nn.Module:
    """ResNet-18, 11,689,512 parameters."""
    from torchvision.models import resnet18

    return resnet18(weights=None)


def parameters(net: Callable[[], nn.Module]) -> list[Tensor]:
    """The parameters of a seed, with gradients."""
    torch.manual_seed(0)
    found = [nn.Parameter(p.detach().clone()) for p in net().parameters()]
    for p in found:
        p.grad = torch.randn_like(p)
    return list(found)


def sides(name: str) -> dict[str, Make]:
    ours, theirs = PAIRS[name]
    return {"ours": ours, "foreach": partial(theirs, foreach=True), "fused": partial(theirs, fused=True)}


def measure(
    threads: int, repeats: int, say: Callable[[str], None], net: Callable[[], nn.Module] = network
) -> list[Row]:
    """Steps a second of each side in each turn.

    Raises:
        RuntimeError: The sides do not move the parameters to the same places.
    """
    torch.set_num_threads(threads)
    rows = []
    for name in PAIRS:
        places = {side: parameters(net) for side in sides(name)}
        optimizers = {side: make(places[side]) for side, make in sides(name).items()}
        for optimizer in optimizers.values():
            optimizer.step()  # warms up, and makes the state
        for side in ("foreach", "fused"):
            for one, other in zip(places["ours"], places[side], strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
        facts = {"workload": name, "threads": threads, "steps": STEPS, "samples": STEPS}
        table: dict[str, Row] = {side: {**facts, "side": side, "rates": []} for side in optimizers}
        for _ in range(repeats):
            for side, optimizer in optimizers.items():
                begin = time.perf_counter()
                for _ in range(STEPS):
                    optimizer.step()
                table[side]["rates"].append(STEPS / (time.perf_counter() - begin))
                say(f"{name}, {side}: {1000 / table[side]['rates'][-1]:.1f} ms")
        rows += list(table.values())
    return rows
