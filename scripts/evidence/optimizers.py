"""``dive optimizers``: each optimizer with the best rate of a fixed grid: steps and seconds to a stated loss.

    dive optimizers                             LeNet: five rates, three seeds each; about ten CPU-minutes
    dive optimizers --networks lenet resnet     the narrow ResNet as well, about forty more
    dive optimizers --networks resnet --seeds 1 its grid with one seed: 25 minutes
    dive optimizers --networks resnet --best    two more seeds of the best rate only: five minutes
    dive optimizers --optimizers Adam Muon --seeds 1
    dive optimizers --probes                    batch normalization and smoothness; the large-batch rule: two minutes
    dive optimizers --render                    table and picture only

A row of results/optimizer_grid.csv is one training; rows that are there are not trained again. The grid was fixed
before the first run: a middle that papers and defaults suggest, and half a decade and a decade to each side. The loss
is the cross-entropy on the validation digits of the recipe, without label smoothing, looked at every 20 steps; a
training ends when it is reached, or after as many steps as ``NETWORKS`` says. Seconds are those of one CPU thread, in
steps only. No schedule, no weight decay but AdamW's own; the best rate is the one that reaches the loss most often,
then soonest.
"""

import argparse
import math
import time
from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Any

from common.messages import UserError, did_you_mean
from scripts.evidence.optimizer_grid import COLUMNS, KEY, NETWORKS, OPTIMIZERS, rates
from scripts.evidence.optimizer_page import best_rate, read_rows, render
from scripts.evidence.rows_file import append_row, missing
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS

ROWS = CONFIGS.parent / "results" / "optimizer_grid.csv"
EVERY = 20  # steps between two looks at the loss


@cache
def data_of(recipe: str) -> Any:
    """The recipe's data, loaded: the same rows for all."""
    from scripts.front.build import build

    data: Any = build([recipe])[2]
    data.prepare_data()
    data.setup("fit")
    return data


def model_of(recipe: str, words: list[str], seed: int) -> Any:
    """The recipe's model with the initial weights of a seed."""
    import torch

    from scripts.front.build import build

    torch.manual_seed(seed)
    plain = ["--model.label_smoothing", "0", "--model.lr_scheduler", "null", "--seed_everything", str(seed)]
    return build([recipe, *plain, *words])[1]


def batches(data: Any, seed: int, size: int = 0) -> Any:
    """Training batches without end, as the network takes them; a seed decides the order."""
    import torch

    split = data.splits["train"]
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(split[0]), generator=generator)
        for rows in order.split(size or data.batch_size):
            if len(rows) == (size or data.batch_size):
                yield data.transform(tuple(part[rows] for part in split))


def validation_loss(model: Any, data: Any) -> float:
    """The cross-entropy on the validation digits."""
    import torch
    from torch.nn import functional as F

    model.eval()
    with torch.no_grad():
        x, y = data.transform(data.splits["val"])
        found = float(F.cross_entropy(model(x), y))
    model.train()
    return found


def train(model: Any, optimizer: Any, stream: Any, data: Any, goal: float, most: int) -> dict[str, Any]:
    """Steps and CPU-seconds to a validation loss; without them where it was not reached, and the last loss."""
    from torch.nn import functional as F

    seconds, loss = 0.0, math.inf
    averages = hasattr(optimizer, "eval") and hasattr(optimizer, "train")
    model.train()
    for step in range(1, most + 1):
        x, y = next(stream)

        def closure(x: Any = x, y: Any = y) -> Any:
            optimizer.zero_grad()
            error = F.cross_entropy(model(x), y)
            error.backward()
            return error

        begin = time.process_time()
        optimizer.step(closure)
        seconds += time.process_time() - begin
        if step % EVERY == 0 or step == most:
            if averages:
                optimizer.eval()
            loss = validation_loss(model, data)
            if averages:
                optimizer.train()
            if loss <= goal:
                return {"steps": step, "seconds": seconds, "loss": loss}
            if not math.isfinite(loss):
                break
    return {"loss": loss}


def run_row(network: str, name: str, rate: float, seed: int) -> dict[str, Any]:
    """One row: a training."""
    recipe, goal, most = NETWORKS[network]
    data = data_of(recipe)
    words = ["--model.optimizer", *OPTIMIZERS[name][0].split(), str(rate)]
    model = model_of(recipe, words, seed)
    configured = model.configure_optimizers()
    optimizer = configured["optimizer"] if isinstance(configured, dict) else configured
    found = train(model, optimizer, batches(data, seed), data, goal, most)
    return {"network": network, "optimizer": name, "rate": rate, "seed": seed, **found}


# -- rows -------------------------------------------------------------------------------------------------------------


def best_cells(networks: Iterable[str], names: Iterable[str]) -> list[tuple[str, str, float]]:
    """Network, optimizer and the best rate of the rows that are there."""
    rows = read_rows(ROWS)
    cells = []
    for network, name in product(networks, names):
        rate = best_rate([row for row in rows if (row["network"], row["optimizer"]) == (network, name)])
        if rate is not None:
            cells.append((network, name, rate))
    return cells


def measure(networks: Iterable[str], names: Iterable[str], seeds: int, best: bool = False) -> None:
    """The rows that are missing, of all rates or of the best one; each is kept as soon as it is there."""
    if best:
        grid = best_cells(networks, names)
    else:
        grid = [(network, name, rate) for network in networks for name in names for rate in rates(name)]
    for network, name, rate, seed in missing(ROWS, KEY, [(*cell, seed) for cell in grid for seed in range(seeds)]):
        append_row(ROWS, COLUMNS, KEY, row := run_row(network, name, rate, seed))
        reached = f"{row['steps']} steps, {row['seconds']:.1f} s" if "steps" in row else "not reached"
        print(f"{network} {name} {rate:g} seed {seed}: {reached}, {row['loss']:.3f}", flush=True)


def main(argv: list[str]) -> int:
    """Measures and renders; returns 0."""
    parser = OptionParser(prog="dive optimizers", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--networks", nargs="+", default=["lenet"], metavar="NAME", help="lenet, resnet; lenet")
    parser.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS), metavar="NAME", help="none of these: all")
    parser.add_argument("--seeds", type=int, default=3, help="of each rate; rows that are there are kept")
    parser.add_argument(
        "--best", action="store_true", help="only the best rate of the rows that are there, not all five"
    )
    parser.add_argument("--probes", action="store_true", help="the two probes, printed; writes nothing")
    parser.add_argument("--render", action="store_true", help="table and picture of the rows that are there")
    options = parser.parse_args(argv)
    for given, known in ((options.networks, NETWORKS), (options.optimizers, OPTIMIZERS)):
        for name in given:
            if name not in known:
                raise UserError(f"no {name!r} here{did_you_mean(name, known) or ': ' + ', '.join(known)}")
    if options.seeds < 1:
        raise UserError(f"--seeds {options.seeds}: give a whole number of at least 1")
    if not options.render:
        from scripts.evidence.study import quiet

        quiet()
        if options.probes:
            from scripts.evidence import optimizer_probes

            return optimizer_probes.main()
        measure(options.networks, options.optimizers, options.seeds, options.best)
    return render(ROWS)
