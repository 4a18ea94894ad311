"""The table of learning curves behind ``dive replay``: LeNet with many configurations, each trained once. D2L 19.

Every configuration is drawn from the space by its number alone, so that a table can be continued, row by row, and two
processes make the same rows. A row has the configuration, the seconds of an epoch and the validation error after each
epoch. Departs from the book: 1,000 real MNIST digits instead of Fashion-MNIST, so that hundreds of configurations take
minutes; momentum is a third parameter; validation is on 500 digits that are neither trained on nor the test split.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scripts.evidence.rows_file import append_row, missing, read_unique
from scripts.front.recipes import CONFIGS

TABLE = CONFIGS.parent / "results" / "tune_curves.csv"
EPOCHS = 27  # three rungs of eta = 3 above the first epoch
TRAIN = 1000  # digits
SEED = 19
#: The space, fixed before the first run: the book's learning rate from 0.01 on and batch size, and momentum.
LOW, HIGH = np.array([1e-3, 16, 0.0]), np.array([1.0, 256, 0.95])
KEY = ["number"]
COLUMNS = [*KEY, "lr", "batch_size", "momentum", "seconds", *(f"e{k}" for k in range(1, EPOCHS + 1))]


def decode(unit: Any) -> dict[str, float]:
    """A place of the unit cube (3,) as a configuration: learning rate and batch size are logarithmic."""
    u = np.asarray(unit, dtype=float)
    lr, batch = np.exp(np.log(LOW[:2]) + u[:2] * (np.log(HIGH[:2]) - np.log(LOW[:2])))
    return {"lr": float(lr), "batch_size": round(batch), "momentum": float(LOW[2] + u[2] * (HIGH[2] - LOW[2]))}


def encode(row: dict[str, float]) -> np.ndarray:
    """The inverse of ``decode``."""
    logs = [np.log(row[name] / LOW[k]) / np.log(HIGH[k] / LOW[k]) for k, name in enumerate(("lr", "batch_size"))]
    return np.array([*logs, (row["momentum"] - LOW[2]) / (HIGH[2] - LOW[2])])


def configuration(number: int) -> dict[str, float]:
    """The configuration of a row, uniform in the space's own scales."""
    return decode(np.random.default_rng([SEED, number]).random(3))


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The first 1,000 training digits (the split is a random order) and the 500 of validation, as floats in [0, 1]."""
    from datamodules.vision.mnist import MNIST5k

    splits = MNIST5k().load("fit")
    (x, y), (xv, yv) = splits["train"], splits["val"]
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))[:TRAIN]
    return x[rows].float() / 255, y[rows], xv.float() / 255, yv


def train(config: dict[str, float], data: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[list[float], float]:
    """The validation error after each epoch, and the mean seconds of one. A diverged run has the error of chance.

    The loop is bare: Lightning's share of a step would be most of the time of batches this small.
    """
    from lit_models.cnn.lenet import LeNet

    x, y, xv, yv = data
    torch.manual_seed(0)  # the same beginning for all: differences are the configuration's
    net = LeNet(activation="relu", pooling="max")
    descent = torch.optim.SGD(net.parameters(), config["lr"], config["momentum"])
    order, size = torch.Generator().manual_seed(0), int(config["batch_size"])
    errors: list[float] = []
    start = time.process_time()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=order).split(size):
            descent.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            descent.step()
        with torch.inference_mode():
            logits = net(xv)
        if not bool(logits.isfinite().all()):
            return errors + [0.9] * (EPOCHS - len(errors)), (time.process_time() - start) / (len(errors) + 1)
        errors.append(float((logits.argmax(1) != yv).float().mean()))
    return errors, (time.process_time() - start) / EPOCHS


def extend(count: int, path: Path = TABLE) -> int:
    """Trains the rows of a table that are missing up to ``count``; returns how many it trained.

    A row is appended when its training has ended, so that an interrupted table is continued.
    """
    data, trained = None, 0
    for (number,) in missing(path, KEY, [(number,) for number in range(count)]):
        data = digits() if data is None else data
        config = configuration(number)
        errors, seconds = train(config, data)
        curve = {f"e{k + 1}": f"{error:.4g}" for k, error in enumerate(errors)}
        known = {"number": number, "seconds": f"{seconds:.4f}", "batch_size": int(config["batch_size"])}
        row = {name: f"{config[name]:.6g}" for name in ("lr", "momentum")} | known | curve
        append_row(path, COLUMNS, KEY, row)
        trained += 1
    return trained


def read(path: Path = TABLE) -> list[dict[str, float]]:
    """The rows of a table, all values numbers."""
    return [{name: float(value) for name, value in row.items() if value} for row in read_unique(path, KEY)]
