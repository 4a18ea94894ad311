"""How long a checkpoint takes: weights and AdamW's two moments, 12 bytes for each parameter.

`save` is what a run does (``callbacks/atomic_checkpoint.py``): written beside the old one, on the disk, then renamed.
`torch.save` alone leaves the bytes with the system. `load` reads the file into the network and the optimizer, from
memory where the system still has it.
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from callbacks.atomic_checkpoint import AtomicCheckpoint

SIZES = (1_000_000, 10_000_000, 100_000_000)
WIDTH = 1000  # a layer of a million weights


def trained(parameters: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network of layers without biases, after a step of AdamW."""
    width = min(WIDTH, int(parameters**0.5))
    net = nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(parameters // width**2)))
    optimizer = torch.optim.AdamW(net.parameters())
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.zero_grad()
    return net, optimizer


def seconds(function: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def one_size(parameters: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Seconds of each operation in each turn."""
    net, optimizer = trained(parameters)
    content = {"state_dict": net.state_dict(), "optimizer_states": [optimizer.state_dict()]}
    path, files = folder / "last.ckpt", AtomicCheckpoint()

    def load() -> None:
        found = files.load_checkpoint(path, weights_only=True)
        net.load_state_dict(found["state_dict"])
        optimizer.load_state_dict(found["optimizer_states"][0])

    operations: dict[str, Callable[[], Any]] = {
        "save": lambda: files.save_checkpoint(content, path),
        "torch.save": lambda: torch.save(content, folder / "plain.ckpt"),
        "load": load,
    }
    times: dict[str, list[float]] = {name: [] for name in operations}
    for _ in range(repeats):
        for name, operation in operations.items():
            times[name].append(seconds(operation))
    return {"parameters": sum(p.numel() for p in net.parameters()), "mb": path.stat().st_size / 1e6, **times}


def measure(repeats: int, say: Callable[[str], None], sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """A row for each size."""
    rows = []
    for parameters in sizes:
        with TemporaryDirectory() as folder:
            rows.append(row := one_size(parameters, repeats, Path(folder)))
        say(f"a checkpoint of {row['mb']:,.0f} MB: {min(row['save']):.2f} s to save, {min(row['load']):.2f} s to load")
    return rows
