"""``dive bench scaling RECIPE``: rows per second of 1, 2, ... processes, and what a simulation says of more.

    dive bench scaling cnn/lenet --processes 2     two cores: strong and weak scaling, scaling.png

Strong: the recipe's batch is divided among the processes. Weak: each process has such a batch. Each number is that of
`dive fit RECIPE -c trainer/ddp` over some steps, one thread a process, on the CPU. The simulation
(``lit_models/parallel/simulator.py``) has two parts that are measured here: a step of one process, and latency and
bandwidth, fitted to ping-pong messages and all-reduces of eight sizes between two processes. It is compared with the
two processes that were measured, and drawn up to 1,024, where it is marked as unverified.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes

from callbacks.pictures.figures import new_figure
from common.messages import UserError
from lit_models.parallel import cost_model
from lit_models.parallel.all_reduce import ring
from lit_models.parallel.point_to_point import exchange
from lit_models.parallel.simulator import Network, Step, simulate, speedup
from scripts.front.build import build
from scripts.front.runs import runs_root

ROOT = Path(__file__).resolve().parents[3]
SIZES = [8 * 8**k for k in range(8)]  # bytes of a message: 8 to 16 million
COUNTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]


# -- the network between processes ------------------------------------------------------------------------------------


def ping(rank: int, port: int, out: str, repeats: int = 7) -> None:
    """One of two processes: the median seconds of a message there and of an all-reduce, for each size."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    found: dict[str, list[float]] = {"message": [], "all-reduce": []}
    for size in SIZES:
        data = torch.zeros(size // 4)
        found["message"].append(median_seconds(lambda data=data: there_and_back(data, rank), repeats) / 2)
        found["all-reduce"].append(median_seconds(lambda data=data: ring(data), repeats))
    if rank == 0:
        Path(out).write_text(json.dumps(found))
    dist.destroy_process_group()


def there_and_back(data: Tensor, rank: int) -> None:
    if rank == 0:
        exchange({1: data}, {})
        exchange({}, {1: data})
    else:
        exchange({}, {0: data})
        exchange({0: data}, {})


def median_seconds(function: Any, repeats: int) -> float:
    """The median of some calls, after one that warms up."""
    times = []
    for _ in range(repeats + 1):
        dist.barrier()
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return sorted(times[1:])[repeats // 2]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def measure_network() -> tuple[Network, dict[str, list[float]]]:
    """Latency and bandwidth between two processes, from all-reduces, each of which is two steps of half the bytes."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "found.json")
        start_processes(ping, (free_port(), out), nprocs=2, start_method="spawn")
        found = json.loads(Path(out).read_text())
    halves = [size / 2 for size in SIZES] + SIZES
    seconds = [s / 2 for s in found["all-reduce"]] + found["message"]
    return Network(*cost_model.fit(halves, seconds)), found


# -- a step -----------------------------------------------------------------------------------------------------------


def measure_step(words: list[str], repeats: int = 10) -> tuple[Step, int]:
    """A step of one process by itself, and its rows. The backward pass is spread over the layers by their weights."""
    _, model, data = build(words)
    assert data is not None
    torch.set_num_threads(1)
    data.prepare_data()
    data.setup("fit")
    module: Any = model
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    module.record_train_loss = lambda loss, count: None
    configured = module.configure_optimizers()
    optimizer = configured["optimizer"] if isinstance(configured, dict) else configured
    times: list[list[float]] = []
    for _ in range(repeats + 2):
        marks = [time.perf_counter()]
        loss = module.training_step(batch, 0)
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        marks.append(time.perf_counter())
        times.append([b - a for a, b in pairwise(marks)])
    forward, backward, step = (sorted(column)[len(column) // 2] for column in zip(*times[2:], strict=True))
    sizes = layer_bytes(model)
    whole = sum(sizes) or 1
    return Step(forward, [backward * size / whole for size in sizes], sizes, step), len(batch[0])


def layer_bytes(model: nn.Module) -> list[float]:
    """Bytes of the gradients of each layer that has some, the last one first."""
    own = [sum(4 * p.numel() for p in m.parameters(recurse=False) if p.requires_grad) for m in model.modules()]
    return [float(size) for size in reversed(own) if size]


# -- processes --------------------------------------------------------------------------------------------------------


def rows_per_second(recipe: str, words: list[str], processes: int, batch: int, steps: int) -> float:
    """Of a training run in its own processes; the clock leaves out the first batch."""
    with tempfile.TemporaryDirectory() as runs:
        env = os.environ | {"DIVE_RUNS": runs, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "scripts.cli", "fit", recipe, *words, "--trainer.accelerator", "cpu"]
        command += ["--trainer.limit_train_batches", str(steps), "--trainer.limit_val_batches", "1"]
        command += ["--trainer.max_epochs", "2", "--data.batch_size", str(batch)]
        if processes > 1:
            command += ["-c", "trainer/ddp", "--trainer.devices", str(processes)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        found = list(Path(runs).glob("*/*/*/run.json"))
        if done.returncode or not found:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
        return float(json.loads(found[0].read_text())["samples_per_second"])


def draw(rates: dict[str, dict[int, float]], step: Step, network: Network, path: Path) -> None:
    """Speed-up by the number of processes: measured ones as points, simulated ones as lines."""
    figure = new_figure(9.2, 3.8)
    for ax, (kind, found) in zip(figure.subplots(1, 2), rates.items(), strict=True):
        line = [speedup(step, network, k, kind == "weak") for k in COUNTS]
        ax.plot(COUNTS, COUNTS, "--", color="gray", label="perfect")
        ax.plot(COUNTS, line, label="simulated, unverified beyond the points")
        ax.plot(list(found), [rate / found[1] for rate in found.values()], "o", label="measured")
        ax.set(xscale="log", yscale="log", title=f"{kind} scaling", xlabel="processes", ylabel="speed-up")
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def lines_of(rates: dict[str, dict[int, float]], step: Step, network: Network) -> list[str]:
    """The table: what was measured beside what was simulated."""
    lines = [
        f"a step of one process: {1000 * step.seconds:.2f} ms; gradients {sum(step.gradients) / 1e6:.2f} MB",
        f"between two processes: latency {1e6 * network.latency:.0f} us, bandwidth {network.bandwidth / 1e9:.2f} GB/s",
        f"two processes, weak: a step of {1000 * simulate(step, network, 2)['seconds']:.2f} ms simulated",
        f"{'scaling':<9}{'processes':>9}{'rows/s':>12}{'speed-up':>10}{'simulated':>11}",
    ]
    for kind, found in rates.items():
        for count, rate in found.items():
            simulated = speedup(step, network, count, kind == "weak")
            lines.append(f"{kind:<9}{count:>9}{rate:>12,.0f}{rate / found[1]:>10.2f}{simulated:>11.2f}")
    return lines


def main(argv: list[str]) -> int:
    """Measures and draws; the picture is ``runs/scaling/RECIPE.png``."""
    parser = argparse.ArgumentParser(prog="dive bench scaling", allow_abbrev=False, description="Scaling.")
    parser.add_argument("recipe")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="at most; the cores")
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="of a measurement; 50")
    options, words = parser.parse_known_args(argv)
    if min(options.processes, options.steps) < 1:
        raise UserError("--processes and --steps are whole numbers of at least 1")
    step, batch = measure_step([options.recipe, *words])
    network, _ = measure_network()
    counts = [k for k in range(1, options.processes + 1) if k == 1 or batch % k == 0]
    rates: dict[str, dict[int, float]] = {"strong": {}, "weak": {}}
    for count in counts:
        for kind in rates:
            size = batch if kind == "weak" else batch // count
            rates[kind][count] = rows_per_second(options.recipe, words, count, size, options.steps)
    path = runs_root() / "scaling" / f"{options.recipe}.png"
    draw(rates, step, network, path)
    print("\n".join([*lines_of(rates, step, network), f"  {path}"]))
    return 0
