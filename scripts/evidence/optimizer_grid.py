"""What ``dive optimizers`` compares: the networks with their stated losses, the optimizers with their grids.

All of it was written before the first run.
"""

from typing import NamedTuple

KEY = ("network", "optimizer", "rate", "seed")
COLUMNS = (*KEY, "steps", "seconds", "loss")
GRID = (0.1, 10**-0.5, 1.0, 10**0.5, 10.0)  # times the middle


class Network(NamedTuple):
    """What is trained, to which loss, and for how many steps at most."""

    recipe: str
    loss: float
    steps: int


NETWORKS = {"lenet": Network("cnn/lenet", 0.2, 440), "resnet": Network("cnn/resnet", 0.2, 330)}
OURS = "lit_models.optimization"
MOMENTUM = "--model.optimizer.momentum 0.9"
BASE = "--model.optimizer.base torch.optim.SGD --model.optimizer.base.lr"
#: Words of ``dive fit`` that end before the rate, and the middle of the grid.
OPTIMIZERS = {
    "SGD": (f"{OURS}.SGD --model.optimizer.lr", 0.3),
    "momentum": (f"{OURS}.SGD {MOMENTUM} --model.optimizer.lr", 0.03),
    "Nesterov": (f"{OURS}.SGD {MOMENTUM} --model.optimizer.nesterov true --model.optimizer.lr", 0.03),
    "AdaGrad": (f"{OURS}.AdaGrad --model.optimizer.lr", 0.03),
    "RMSProp": (f"{OURS}.RMSProp --model.optimizer.lr", 0.003),
    "Adadelta": (f"{OURS}.Adadelta --model.optimizer.lr", 1.0),
    "Adam": (f"{OURS}.Adam --model.optimizer.lr", 0.003),
    "AdamW": (f"{OURS}.AdamW --model.optimizer.lr", 0.003),
    "Yogi": (f"{OURS}.Yogi --model.optimizer.lr", 0.01),
    "Lion": (f"{OURS}.Lion --model.optimizer.lr", 0.0003),
    "Muon": (f"{OURS}.Muon --model.optimizer.lr", 0.02),
    "schedule-free AdamW": (f"{OURS}.ScheduleFreeAdamW --model.optimizer.lr", 0.003),
    "SAM of SGD": (f"{OURS}.SAM {BASE}", 0.3),
    "Lookahead of SGD": (f"{OURS}.Lookahead {BASE}", 0.3),
}


def rates(name: str) -> list[float]:
    """The grid of an optimizer."""
    return [float(f"{OPTIMIZERS[name][1] * factor:.3g}") for factor in GRID]
