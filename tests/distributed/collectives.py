"""What the processes of ``test_all_reduce.py`` compute: sums on single messages beside the library's."""

import threading
from typing import Any

import torch
import torch.distributed as dist
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from lit_models.cnn.lenet import LeNet
from lit_models.parallel.all_reduce import ALGORITHMS, average
from lit_models.parallel.buckets import Buckets
from lit_models.parallel.meeting import add, gather, gather_rows, hand_out
from lit_models.parallel.point_to_point import counted, rank, world

SIZES = (1, 7, 60, 1000)  # also fewer numbers than processes, and no multiple of them


def sums() -> dict[str, Any]:
    """Each algorithm's sums, the library's, and what was sent for 60 numbers."""
    found: dict[str, Any] = {}
    for size in SIZES:
        mine = torch.randn(size, generator=torch.Generator().manual_seed(rank()), dtype=torch.float64)
        expected = mine.clone()
        dist.all_reduce(expected)
        for name, function in ALGORITHMS.items():
            ours = mine.clone()
            with counted() as traffic:
                function(ours, None)
            found[f"{name} {size}"] = ours
            found[f"{name} {size} error"] = float((ours - expected).abs().max())
            found[f"{name} {size} sent"] = (traffic.sent, traffic.steps)
    return found


def half_batch_gradients(rows: int = 4) -> dict[str, float]:
    """The largest difference of the gradients from one process's on all rows, for each way to average."""
    x = torch.rand(rows * world(), 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = torch.arange(len(x)) % 10
    own = slice(rank() * rows, (rank() + 1) * rows)

    def network() -> LeNet:
        torch.manual_seed(0)
        return LeNet(activation="relu").double()

    def gradients(net: Any, part: slice = own) -> list[Any]:
        F.cross_entropy(net(x[part]), y[part]).backward()
        return [p.grad for p in net.parameters()]

    expected = gradients(network(), slice(None))
    found = {"ddp": gradients(DistributedDataParallel(network()))}
    for name in ALGORITHMS:
        found[name] = gradients(network())
        average(found[name], name)  # type: ignore[arg-type]
    net = network()
    buckets = Buckets(net.parameters(), size=100_000)
    for _ in range(2):  # the second step begins as the first
        net.zero_grad()
        found["bucketed"] = gradients(net)
        buckets.finish()
    buckets.close()
    found["none"] = gradients(network())
    return {k: max(float((a - b).abs().max()) for a, b in zip(v, expected, strict=True)) for k, v in found.items()}


def overlap() -> list[str]:
    """The order of events where the first layer's gradient waits for the last layers' average: without overlap it would
    wait forever.
    """
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    buckets = Buckets(net.parameters(), size=1)  # a bucket for each parameter
    until = threading.Event()

    def wait(_: Any) -> None:
        end = 600
        while "averaged 1" not in buckets.log and end:
            until.wait(0.1)
            end -= 1

    net[0].register_full_backward_pre_hook(lambda module, grad: wait(grad))
    net(torch.randn(3, 4, requires_grad=True)).sum().backward()
    buckets.finish()
    buckets.close()
    return buckets.log


def derivatives() -> dict[str, Any]:
    """The gradients of a function of the gathered, added and handed-out parts of three processes, beside those of one
    process that has all parts.
    """
    k, me = world(), rank()
    parts = [torch.rand(2, 3, generator=torch.Generator().manual_seed(r), dtype=torch.float64) for r in range(k)]
    weights = torch.rand(k, 2, 3 * k, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    mine = parts[me].clone().requires_grad_()
    whole = [p.clone().requires_grad_() for p in parts]
    found = {}
    # each process computes its own term of the sum from the gathered value; the sum is the loss of all
    loss = add((gather(mine, 1).sin() * weights[me]).sum())
    loss.backward()
    expected = sum((torch.cat(whole, 1).sin() * weights[r]).sum() for r in range(k))
    expected.backward()  # type: ignore[union-attr]
    found["gather"] = float((mine.grad - whole[me].grad).abs().max()), float((loss - expected).abs())  # type: ignore[operator]
    mine.grad = None
    add((hand_out(mine, 1).sin() * weights[me, :, :3]).sum()).backward()
    theirs = parts[1].clone().requires_grad_()
    sum((theirs.sin() * weights[r, :, :3]).sum() for r in range(k)).backward()  # type: ignore[union-attr]
    wanted = theirs.grad if me == 1 else torch.zeros(2, 3, dtype=torch.float64)
    found["hand_out"] = float((mine.grad - wanted).abs().max()), 0.0  # type: ignore[operator]
    rows = torch.arange(6)[me::k]
    found["rows"] = float((gather_rows((rows,))[0] - torch.arange(6)).abs().max()), 0.0
    return found
