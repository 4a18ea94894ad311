"""What the processes of ``test_two_gpus.py`` compute: the divided AlexNet step by step, beside the undivided one."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.cnn.alexnet import AlexNet
from lit_models.parallel.alexnet_two_gpus import Tower, normalize_within_towers
from lit_models.parallel.divided import joined
from lit_models.parallel.point_to_point import counted, rank

SMALL: dict[str, Any] = {"image_size": 67, "width": 0.125, "hidden_size": 32, "num_classes": 5, "pool_size": 2}
FULL: dict[str, Any] = {"image_size": 227}


def network(sizes: dict[str, Any], dtype: torch.dtype) -> AlexNet:
    torch.manual_seed(0)
    return normalize_within_towers(AlexNet(variant="grouped", dropout=0.0, **sizes)).to(dtype)


def step(net: nn.Module, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    """One step of gradient descent; returns the logits."""
    optimizer.zero_grad()
    logits = net(x)
    F.cross_entropy(logits, y).backward()
    optimizer.step()
    return logits.detach()


def largest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest difference relative to the largest entry of each tensor."""
    assert a.keys() == b.keys()
    return max(float((a[k] - b[k]).abs().max() / b[k].abs().max().clamp(min=1e-12)) for k in a)


def compare(sizes: dict[str, Any], dtype: torch.dtype, rows: int, steps: int) -> dict[str, Any]:
    """The largest differences of logits, gradients and weights over some steps; the same in both processes."""
    whole = network(sizes, dtype)
    tower = Tower(network(sizes, dtype), rank())
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9) for net in (whole, tower)]
    random = torch.Generator().manual_seed(1)
    worst = {"logits": 0.0, "gradients": 0.0, "weights": 0.0}
    with counted() as traffic:
        for _ in range(steps):
            x = torch.rand(rows, 3, sizes["image_size"], sizes["image_size"], generator=random, dtype=torch.float64)
            y = torch.randint(0, sizes.get("num_classes", 1000), (rows,), generator=random)
            x = x.to(dtype)
            ours = step(tower, x, y, optimizers[1])
            theirs = step(whole, x, y, optimizers[0])
            sent = traffic.sent
            found = {name: p.grad for name, p in tower.named_parameters()}
            grads = joined(found, tower.split)  # type: ignore[arg-type]
            weights = joined(tower.state_dict(), tower.split)
            expected: Any = {name: p.grad for name, p in whole.named_parameters()}
            worst["logits"] = max(worst["logits"], largest({"": ours}, {"": theirs}))
            worst["gradients"] = max(worst["gradients"], largest(grads, expected))
            worst["weights"] = max(worst["weights"], largest(weights, whole.state_dict()))
    sizes_of = [sum(p.numel() for p in net.parameters()) for net in (whole, tower)]
    return worst | {"whole": sizes_of[0], "tower": sizes_of[1], "sent": sent if steps == 1 else 0}
