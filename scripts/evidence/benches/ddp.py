"""Two processes with DDP against one on one core, and Lightning's DDP against the bare DDP loop.

Each process has one core and batches of the same size, so that two processes do twice the work of one in a step (weak
scaling). `one process` is the shortest loop in one of the two, while the other waits; `bare` the same loop in both,
the network in ``DistributedDataParallel``; `ours` the recipe as ``dive fit -c trainer/ddp`` runs it. An accumulated
workload sums the gradients of four batches, and sends them once.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from scripts.evidence.benches import convnets, ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.scaling import free_port
from scripts.evidence.benches.workloads import IMAGES, LEARNING_RATE, WORKLOADS, Clock, random_images
from scripts.front.build import build

PART = Part(
    "Two processes with DDP",
    """\
One thread a process, batches of the same size in each (resnet18 32, lenet 128, mlp 256 rows), samples of both together.
`one process` and `bare` are the shortest loop without and with `DistributedDataParallel`; `ours` is the recipe by
Lightning's DDP. `accumulated` sums four batches for a step and sends their gradients once.""",
    "samples",
    (
        Goal("two processes, resnet18 fp32", "one process", 1.7, 1, "45 MB of gradients in steps of a second"),
        Goal("two processes, resnet18 bf16", "one process", 1.45, 1, "shorter steps, as many bytes"),
        Goal("two processes, resnet18 bf16, accumulated", "one process", 1.7, 1, "a message for four batches"),
        Goal("two processes, lenet", "one process", 1.35, 1, "small gradients, short steps"),
        *(
            Goal(f"two processes, {case}", "bare", 0.95, 1, "Lightning's DDP against the bare one, steps from 15 ms on")
            for case in ("resnet18 fp32", "resnet18 bf16", "resnet18 bf16, accumulated", "lenet")
        ),
    ),
)
SIDES = ("one process", "bare", "ours")


@dataclass(frozen=True)
class Case:
    """A workload.

    Args:
        name: As in the table.
        network: ``resnet18``, ``lenet`` or ``mlp``.
        bf16: Autocast to bfloat16.
        accumulate: Batches of an optimizer step.
        steps: Timed batches, a multiple of ``accumulate``, as is ``warmup``.
        warmup: Batches before the clock.
    """

    name: str
    network: str
    bf16: bool = False
    accumulate: int = 1
    steps: int = 8
    warmup: int = 4


CASES = (
    Case("two processes, resnet18 fp32", "resnet18"),
    Case("two processes, resnet18 bf16", "resnet18", bf16=True),
    Case("two processes, resnet18 bf16, accumulated", "resnet18", bf16=True, accumulate=4),
    Case("two processes, lenet", "lenet", steps=100, warmup=10),
    Case("two processes, mlp", "mlp", steps=400, warmup=10),
)
WORKS = {work.name: work for work in WORKLOADS}


def plain(network: str) -> tuple[nn.Module, Tensor, Tensor, int]:
    """A network in plain PyTorch, images, labels, and the rows of a process's batch."""
    if network == "resnet18":
        net: Any = convnets.resnet18()
        return net.to(memory_format=torch.channels_last), *convnets.pictures(), convnets.BATCH
    return WORKS[network].network(), *random_images(IMAGES), WORKS[network].batch_size


def batches(images: Tensor, labels: Tensor, rows: int, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's batches without end."""
    while True:
        for index in torch.randperm(len(labels))[rank::world].split(rows):
            yield images.index_select(0, index).float() / 255, labels.index_select(0, index)


def train_bare(case: Case, clock: Clock, world: int) -> None:
    """The shortest loop, in one process or in each."""
    net, images, labels, rows = plain(case.network)
    wrapped: Any = DistributedDataParallel(net) if world > 1 else net
    optimizer = torch.optim.SGD(net.parameters(), LEARNING_RATE, fused=True)
    for x, y in batches(images, labels, rows, dist.get_rank() if world > 1 else 0, world):
        last = (clock.count + 1) % case.accumulate == 0
        with nullcontext() if last or world == 1 else wrapped.no_sync():
            with torch.autocast("cpu", torch.bfloat16) if case.bf16 else nullcontext():
                loss = F.cross_entropy(wrapped(x), y) / case.accumulate
            loss.backward()
        if last:
            optimizer.step()
            optimizer.zero_grad()
        clock.tick(len(y))
        if clock.done:
            return


def train_ours(case: Case, clock: Clock) -> None:
    """The recipe by Lightning's DDP, in the processes that are there."""
    if case.network == "resnet18":
        model, data = convnets.recipe(case.network)
    else:
        words = ["--data", f"{ours.RandomImages.__module__}.{ours.RandomImages.__name__}", "--data.rows", str(IMAGES)]
        _, model, data = build([WORKS[case.network].recipe, *words])
    settings: dict[str, Any] = {"strategy": DDPStrategy(process_group_backend="gloo"), "devices": dist.get_world_size()}
    settings |= {"precision": "bf16-mixed" if case.bf16 else "32-true", "accumulate_grad_batches": case.accumulate}
    ours.fit(model, data, clock, **settings, max_steps=clock.total // case.accumulate)


def turns(rank: int, port: int, out: str, cases: tuple[Case, ...], repeats: int, threads: int) -> None:
    """One of two processes: all sides of all cases in turns. The first writes the rows."""
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}  # Lightning then starts no processes of its own
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    from scripts.evidence.bench import quiet

    torch.set_num_threads(threads)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    rows: list[dict[str, Any]] = []
    for case in cases:
        table: dict[str, dict[str, Any]] = {
            side: {"workload": case.name, "threads": threads, "side": side, "rates": []} for side in SIDES
        }
        for turn in range(repeats):
            for side, row in table.items():
                torch.manual_seed(turn)
                clock, world = Clock(case.steps, case.warmup), 1 if side == "one process" else 2
                dist.barrier()
                with quiet():
                    if side == "ours":
                        train_ours(case, clock)
                    elif rank < world:
                        train_bare(case, clock, world)
                dist.barrier()
                if rank == 0:
                    row["rates"].append(world * clock.samples / clock.seconds)
                    row |= {"steps": case.steps, "samples": world * clock.samples}
        rows += table.values()
    if rank == 0:
        Path(out).write_text(json.dumps(rows))
    dist.destroy_process_group()


def measure(
    threads: int, repeats: int, say: Callable[[str], None], cases: tuple[Case, ...] = CASES
) -> list[dict[str, Any]]:
    """Samples a second of both processes together, of each side in each turn."""
    if 2 * threads > (os.cpu_count() or 1):
        say(f"two processes of {threads} threads need {2 * threads} cores: left out")
        return []
    with TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        start_processes(turns, (free_port(), str(out), cases, repeats, threads), nprocs=2, start_method="spawn")
        rows: list[dict[str, Any]] = json.loads(out.read_text())
    for row in rows:
        say(f"{row['workload']}, {threads} threads each, {row['side']}: {median(row['rates']):,.0f} samples/s")
    return rows
