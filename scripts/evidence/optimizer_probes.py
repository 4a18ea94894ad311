"""Two small measurements of ``dive optimizers --probes``: batch normalization and smoothness, and the large-batch rule.

Santurkar et al. 2018, "How Does Batch Normalization Help Optimization?": along the training, how much the gradient
changes over a step along itself, by length of that step. Smaller is smoother: the gradient tells more of what comes.
Goyal et al. 2017 and Shallue et al. 2019: k times the batch at k times the rate needs a k-th of the steps, up to a
size of batches from which more rows save no more steps.

No sign is promised: without normalization a network may stay on a plateau at first, where all is flat, so the mean loss
of the training is shown beside. Tried once, over 60 steps: 3.6 without and 23.7 with normalization.
"""

from functools import partial
from statistics import mean
from typing import Any

from scripts.evidence import optimizers
from scripts.evidence.optimizer_grid import NETWORKS

STEPS, LOOKS = 60, 10  # of a training; every so many steps the smoothness is measured
LENGTHS = (0.02, 0.05, 0.1, 0.2)  # rates of the step along the gradient
SIZES, RATE, FIRST = (16, 64, 256, 1024), 0.005, 16  # of batches; for the smallest one, with momentum 0.9


def network(norm: bool) -> Any:
    """A LeNet with or without batch normalization, on digits."""
    from torch import nn

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 5, padding=2)]
        return [*layers, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*block(1, 6), *block(6, 16), nn.Flatten(), nn.Linear(784, 84), nn.ReLU(), nn.Linear(84, 10))


def loss_of(net: Any, x: Any, y: Any) -> Any:
    """The cross-entropy of a batch."""
    from torch.nn import functional as F

    return F.cross_entropy(net(x), y)


def smoothness(norm: bool, seed: int, steps: int = STEPS) -> list[float]:
    """The mean over a training of |g(w - e g) - g(w)| / |e g|, the largest over the lengths e: an effective smoothness.

    And the largest rise of the loss above what the tangent says, over |e g|^2 / 2; and the mean loss.
    """
    import torch
    from torch.nn import functional as F

    from lit_models.optimization.curvature import changes_along_gradient

    torch.manual_seed(seed)
    net, data = network(norm), optimizers.data_of("cnn/lenet")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    stream, losses = optimizers.batches(data, seed, 64), []
    found: list[list[float]] = []
    for step in range(steps):
        x, y = next(stream)
        if step % LOOKS == 0:
            looks = changes_along_gradient(partial(loss_of, net, x, y), list(net.parameters()), LENGTHS)
            found.append([max(column) for column in zip(*looks, strict=True)])
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        losses.append(float(loss.detach()))
        optimizer.step()
    return [*(mean(column) for column in zip(*found, strict=True)), mean(losses)]


def steps_to_goal(size: int, rate: float, seed: int, most: int) -> int | None:
    """Steps of momentum with batches of a size until the validation loss is that of the study."""
    recipe, goal, _ = NETWORKS["lenet"]
    data = optimizers.data_of(recipe)
    words = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.momentum", "0.9"]
    model = optimizers.model_of(recipe, [*words, "--model.optimizer.lr", str(rate)], seed)
    found = optimizers.train(
        model, model.configure_optimizers(), optimizers.batches(data, seed, size), data, goal, most
    )
    return found.get("steps")


def main(seeds: int = 2, steps: int = STEPS, most: int = 1200) -> int:
    """Prints both."""
    print("smoothness, mean along the training (smaller: the gradient tells more of what comes)")
    for norm in (False, True):
        rows = [smoothness(norm, seed, steps) for seed in range(seeds)]
        change, rise, loss = (mean(column) for column in zip(*rows, strict=True))
        name = "with batch normalization" if norm else "without"
        text = f"change of the gradient {change:8.2f}   rise above the tangent {rise:8.2f}   loss {loss:.2f}"
        print(f"  {name:<26} {text}", flush=True)
    print(f"steps to a loss of {NETWORKS['lenet'].loss}, momentum 0.9, by batch size and rule of the rate")
    for rule, power in (("constant rate", 0.0), ("square root", 0.5), ("linear", 1.0)):
        for size in SIZES:
            rate = RATE * (size / FIRST) ** power
            found = [steps_to_goal(size, rate, seed, max(most * FIRST // size, most // 5)) for seed in range(seeds)]
            text = ", ".join("not reached" if value is None else str(value) for value in found)
            print(f"  {rule:<14} {size:>5} rows, rate {rate:<7.3g} {text}", flush=True)
    return 0
