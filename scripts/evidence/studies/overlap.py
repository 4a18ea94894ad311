"""Overlap of computation with what it waits for: loading, messages, copies to a GPU. D2L 13.3.

Each case is measured one after the other and overlapped, on equal work; the longer of the two parts is the limit.

- Loading in a worker process while the network trains: pictures decoded and changed one by one, as torchvision does.
- Gradients summed over two processes in buckets while the backward pass goes on (``lit_models/parallel/buckets.py``);
  both ways must give the same gradients. On a CPU the thread that sends takes processor time from the one that
  computes: only what is waiting, not what is copying, can be hidden.
- On a GPU: batches copied from pinned memory on a stream of their own.

Of the first two the spans of a few steps are kept, by the clock that all processes of a machine share.
"""

import copy
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lit_models.parallel.all_reduce import average
from lit_models.parallel.buckets import Buckets
from scripts.evidence.benches.convnets import SinglePictures
from scripts.evidence.studies.work import Row, Setting, free_port

SHOWN = 8  # steps whose spans are kept
Span = tuple[str, float, float]  # what was going on, from when to when


# -- loading with computing -------------------------------------------------------------------------------------------


class Loaded(Dataset[tuple[Tensor, Tensor, tuple[float, float]]]):
    """Whole batches, each picture by itself, and when loading began and ended."""

    def __init__(self, batches: int, rows: int) -> None:
        steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        self.pictures, self.batches, self.rows = SinglePictures(transforms.Compose(steps)), batches, rows

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, tuple[float, float]]:
        begin = time.perf_counter()
        found = [self.pictures[(index * self.rows + k) % len(self.pictures)] for k in range(self.rows)]
        x, y = torch.stack([x for x, _ in found]), torch.tensor([y for _, y in found])
        return x, y, (begin, time.perf_counter())


def network() -> nn.Module:
    """Takes about as long for a picture as loading it."""
    layers = [nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 16, 5, padding=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 64, 10))


def loading(workers: int, batches: int, rows: int, warmup: int = 2) -> tuple[float, float, list[Span]]:
    """Seconds of an epoch after its first batches, those of loading among them, and the first spans."""
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    loader = DataLoader(Loaded(batches + warmup, rows), batch_size=None, num_workers=workers)
    spans: list[Span] = []
    for x, y, (begin, end) in loader:
        started = time.perf_counter()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
        spans += [("load", begin, end), ("compute", started, time.perf_counter())]
    spans, origin = spans[2 * warmup :], spans[2 * warmup - 1][2]
    whole = spans[-1][2] - origin
    loads = sum(end - begin for what, begin, end in spans if what == "load")
    return whole, loads, [(what, begin - origin, end - origin) for what, begin, end in spans[: 2 * SHOWN]]


def loading_with_computing(small: bool) -> Row:
    batches, rows = (6, 8) if small else (60, 64)
    whole, loads, spans = loading(0, batches, rows)
    together, _, others = loading(1, batches, rows)
    limit = max(loads, whole - loads)
    facts = {"what": "loading, in a worker process", "where": "CPU", "steps": batches}
    times = {"after": whole / batches, "overlapped": together / batches, "limit": limit / batches}
    return facts | times | {"spans": {"after": spans, "overlapped": others}}


# -- messages with the backward pass ----------------------------------------------------------------------------------


class Stamped(list[str]):
    """What happened to the buckets, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[str, float] = {}

    def append(self, event: str) -> None:
        super().append(event)
        self.times[event] = time.perf_counter()


def deep(width: int, layers: int) -> nn.Module:
    return nn.Sequential(*(part for _ in range(layers) for part in (nn.Linear(width, width), nn.Tanh())))


def spans_of(times: dict[str, float], buckets: int, begin: float, end: float) -> list[Span]:
    """Of a step: the backward pass, and the sum of each bucket, which begins when it is ready and the last one done."""
    spans: list[Span] = [("compute", 0.0, end - begin)]
    before = begin
    for k in range(buckets):
        spans.append(("send", max(times[f"ready {k}"], before) - begin, times[f"averaged {k}"] - begin))
        before = times[f"averaged {k}"]
    return spans


def sums(rank: int, port: int, out: str, width: int, layers: int, steps: int) -> None:
    """One of two processes: the backward pass alone, with sums after it, and with sums during it.

    Raises:
        RuntimeError: The two ways give other gradients.
    """
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.manual_seed(0)
    plain = deep(width, layers)
    other = copy.deepcopy(plain)
    buckets = Buckets(other.parameters(), size=4 * width * (width + 1))  # a layer each
    x = torch.randn(width // 2, width, generator=torch.Generator().manual_seed(rank))
    times: dict[str, list[float]] = {"alone": [], "after": [], "overlapped": []}
    spans: list[Span] = []
    for _ in range(steps + 1):
        for way in times:
            net = other if way == "overlapped" else plain
            net.zero_grad()
            loss = net(x).square().mean()
            buckets.log = stamps = Stamped()
            dist.barrier()
            begin = time.perf_counter()
            loss.backward()
            computed = time.perf_counter()
            if way == "after":
                average([p.grad for p in plain.parameters() if p.grad is not None], "ring")
            elif way == "overlapped":
                buckets.finish()
            times[way].append(time.perf_counter() - begin)
        spans = spans_of(stamps.times, len(buckets.buckets), begin, computed)
    for p, q in zip(plain.parameters(), other.parameters(), strict=True):
        if p.grad is None or q.grad is None or not torch.allclose(p.grad, q.grad, rtol=1e-4, atol=1e-7):
            raise RuntimeError("sums during the backward pass give other gradients than sums after it")
    buckets.close()
    if rank == 0:
        found: dict[str, Any] = {way: median(column[1:]) for way, column in times.items()}
        Path(out).write_text(json.dumps(found | {"spans": spans}))
    dist.destroy_process_group()


def sending_with_computing(small: bool) -> Row:
    width, layers, steps = (64, 3, 2) if small else (1024, 8, 20)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        start_processes(sums, (free_port(), str(out), width, layers, steps), nprocs=2, start_method="spawn")
        found = json.loads(out.read_text())
    alone, after = found["alone"], found["after"]
    facts = {"what": "sums of gradients, in buckets", "where": "CPU", "steps": steps}
    times = {"after": after, "overlapped": found["overlapped"], "limit": max(alone, after - alone)}
    return facts | times | {"spans": {"overlapped": found["spans"]}}


# -- copies with computing --------------------------------------------------------------------------------------------


def copying_with_computing(batches: int = 50) -> Row:
    """Batches of 64 MB from pinned memory, and three products of matrices for each."""
    sources = [torch.randn(4096, 4096).pin_memory() for _ in range(2)]
    weight = torch.randn(4096, 4096, device="cuda")
    copies: Any = torch.cuda.Stream()

    def fetch(k: int, stream: Any) -> tuple[Tensor, Any]:
        with torch.cuda.stream(stream):
            x = sources[k % 2].to("cuda", non_blocking=True)
            return x, stream.record_event()

    def compute(x: Tensor) -> Tensor:
        return x @ weight @ weight @ weight

    def run(fetching: bool, computing: bool, overlapped: bool) -> float:
        now: Any = torch.cuda.current_stream()
        stream = copies if overlapped else now
        marks = []
        for _ in range(4):
            torch.cuda.synchronize()
            begin = time.perf_counter()
            following = fetch(0, stream)
            for k in range(batches):
                x, ready = following
                now.wait_event(ready)
                if fetching:
                    following = fetch(k + 1, stream)
                if computing:
                    compute(x)
                x.record_stream(now)
            torch.cuda.synchronize()
            marks.append(time.perf_counter() - begin)
        return median(marks[1:]) / batches

    limit = max(run(True, False, False), run(False, True, False))
    facts = {"what": "copies to the GPU, from pinned memory", "where": "GPU", "steps": batches}
    return facts | {"after": run(True, True, False), "overlapped": run(True, True, True), "limit": limit, "spans": {}}


def measure(setting: Setting) -> list[Row]:
    """Seconds of a step: one ``after`` the other, ``overlapped``, and the ``limit``; spans of some."""
    torch.set_num_threads(setting.threads)
    rows = [loading_with_computing(setting.small), sending_with_computing(setting.small)]
    if torch.cuda.is_available():
        return [*rows, copying_with_computing()]
    setting.say("no GPU here: the overlap of copies to it with computing is not measured")
    return rows
