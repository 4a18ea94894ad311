"""Training on few labels: the same labels, batches and steps for each start, so that starts can be compared."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32


def fine_tuned(
    make: Callable[[], nn.Module],
    few: tuple[Tensor, ...],
    test: tuple[Tensor, ...],
    steps: int,
    rate: float,
    seed: int,
) -> float:
    """The accuracy on ``test`` (images, classes) of a classifier that was trained on few of them.

    Args:
        make: Makes the network; what is new in it is drawn with the seed.
        few: Images and classes to train on, in batches of half of them.
        test: Images and classes.
        steps, rate: AdamW's steps, and its largest learning rate, which rises and falls.
        seed: Of the new layers and the batches.
    """
    x, y = few
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make().train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = rate * min(1, (step + 1) / (steps / 8)) * (1 - step / steps)
            rows = torch.randperm(len(x))[: max(1, len(x) // 2)].to(x.device)
            loss = F.cross_entropy(at_least_float32(model(x[rows])), y[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            guess = torch.cat([model(part).argmax(1) for part in test[0].split(500)])
    return float((guess == test[1]).double().mean())


def few_rows(y: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Random rows of labels (N,), the classes in equal parts, at least one of each."""
    order = torch.randperm(len(y), generator=generator).to(y.device)
    classes = y.unique()
    each = max(1, count // len(classes))
    return torch.cat([order[y[order] == label][:each] for label in classes])
