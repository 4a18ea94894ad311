"""What the processes of ``test_one_weird_trick.py`` compute: the hybrid step beside one process's on all rows."""

from typing import Any

import torch
import torch.distributed as dist
from torch.nn import functional as F

from lit_models.cnn.alexnet import AlexNet
from lit_models.parallel.divided import joined
from lit_models.parallel.one_weird_trick import Worker, bytes_sent, mean_loss
from lit_models.parallel.point_to_point import counted, rank, world
from tests.distributed.towers import largest

SIZES: dict[str, Any] = {"image_size": 32, "stem": "small", "width": 0.125, "pool_size": 2, "hidden_size": 24}
ROWS = 4  # of a process


def network() -> AlexNet:
    torch.manual_seed(0)
    return AlexNet(num_classes=5, dropout=0.0, **SIZES).double()


def compare(scheme: Any, steps: int = 5) -> dict[str, Any]:
    """The largest differences from a process that has all rows, and the bytes that were sent and should have been."""
    whole, k = network(), world()
    worker = Worker(network(), rank(), k)
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9) for net in (whole, worker)]
    random = torch.Generator().manual_seed(1)
    worst, sent, steps_sent = {"loss": 0.0, "gradients": 0.0, "weights": 0.0}, 0, 0
    for _ in range(steps):
        x = torch.rand(k * ROWS, 3, 32, 32, generator=random, dtype=torch.float64)
        y = torch.randint(0, 5, (k * ROWS,), generator=random)
        for optimizer in optimizers:
            optimizer.zero_grad()
        expected = F.cross_entropy(whole(x), y)
        expected.backward()
        own = slice(rank() * ROWS, (rank() + 1) * ROWS)
        with counted() as traffic:
            loss = mean_loss(worker, x[own], y[own], scheme)
            loss.backward()
        sent, steps_sent = traffic.sent, traffic.steps
        for name, p in worker.named_parameters():  # as DDP does with what it is not told to leave alone
            if name not in worker.split:
                dist.all_reduce(p.grad)
                p.grad /= k  # type: ignore[operator]
        grads = joined({name: p.grad for name, p in worker.named_parameters()}, worker.split)  # type: ignore[misc]
        theirs: Any = {name: p.grad for name, p in whole.named_parameters()}
        for optimizer in optimizers:
            optimizer.step()
        worst["loss"] = max(worst["loss"], abs(float(loss - expected)))
        worst["gradients"] = max(worst["gradients"], largest(grads, theirs))
        worst["weights"] = max(worst["weights"], largest(joined(worker.state_dict(), worker.split), whole.state_dict()))
    labels = (k - 1) * ROWS * 8
    if scheme == "in_turns":  # only the owner sends, forward; only the others send, backward
        return worst | {"sent": sent, "steps": steps_sent}
    return worst | {"sent": sent, "formula": bytes_sent(whole, ROWS, k, 8)["dense"] + labels, "steps": steps_sent}
