"""Processes with a gloo group and without Lightning, for tests of what is made of single messages."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.warm import start_ranks, wait


def member(target: Callable[..., Any], folder: Path, world: int, args: tuple[Any, ...]) -> None:
    """One process: joins the group, calls the target and keeps what it returned."""
    torch.set_num_threads(1)
    rank = int(os.environ["LOCAL_RANK"])
    dist.init_process_group("gloo", rank=rank, world_size=world, timeout=timedelta(seconds=120))
    found = target(*args)
    torch.save(found, folder / f"found{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def together(target: Callable[..., Any], *args: Any, world: int = 2, folder: Path) -> list[Any]:
    """What ``target(*args)`` returns in each of ``world`` processes, by rank."""
    folder.mkdir(parents=True, exist_ok=True)
    ranks = start_ranks(member, target, folder, world, args, world=world, folder=folder)
    codes = wait(*ranks)
    assert codes == [0] * world, "\n".join(p.read_text()[-2000:] for p in sorted(folder.glob("rank*.log")))
    return [torch.load(folder / f"found{rank}.pt", weights_only=False) for rank in range(world)]
