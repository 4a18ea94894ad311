"""Gaussian processes: our exact process against GPyTorch's by the points, SVGP as ``dive fit`` runs it against a loop.

An iteration is the evidence, its gradient and Adam's step, in double precision. Before the clock, our evidence and
GPyTorch's by Cholesky are compared; conjugate gradients estimate it.
"""

import time
from collections.abc import Callable
from typing import Any

import gpytorch
import torch
from torch import Tensor

from datamodules.synthetic.friedman import Friedman
from lit_models.gp.exact import ExactGP
from lit_models.gp.exact_cg import CGExactGP
from scripts.evidence.benches import ours
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock
from scripts.front.build import build

PART = Part(
    "Gaussian processes",
    """\
Steps of Adam on the evidence of a Matern kernel with ten length-scales, in double precision, on Friedman's function;
the sides have the same likelihood, or the bench fails. `conjugate gradients` is our process with `solver: cg`, the
default from 2,000 points on. SVGP: 64 inducing points, batches of 256, `gp/svgp` as `dive fit` runs it beside
GPyTorch's own loop on the same model.""",
    "steps",
    (
        Goal("exact GP, n = 1,000", "GPyTorch's Cholesky", 2.0, 1, "the gradient of the evidence in closed form"),
        Goal("exact GP, n = 2,000", "GPyTorch's Cholesky", 2.0, 1, "the same"),
        Goal("SVGP", "GPyTorch's loop", 0.95, 1, "steps of tens of milliseconds hide our loop"),
    ),
)
Row = dict[str, Any]
POINTS, STEPS, SPARSE_STEPS = (500, 1000, 2000, 4000), 3, 40
RECIPE = "gp/svgp"


def points(count: int) -> tuple[Tensor, Tensor]:
    data = Friedman(num_train=count)
    data.setup("fit")
    x, y = data.splits["train"][:2]
    return x, y


def processes(count: int) -> dict[str, Any]:
    """Networks with ``nll``, of the same kernel and hyper-parameters, that have the points."""
    kernel = [{"scale": 0.6931471805599453, "matern": {"smoothness": 2.5}}]  # softplus(0), GPyTorch's start
    found: dict[str, Any] = {
        "ours": ExactGP(10, kernel, noise=0.3, solver="cholesky"),
        "GPyTorch's Cholesky": CGExactGP(10, max_cholesky=10**9),
        "conjugate gradients": ExactGP(10, kernel, noise=0.3, solver="cg"),
    }
    for net in found.values():
        net.remember(*points(count))
    return found


def step(net: Any, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    net.nll().backward()
    optimizer.step()


def exact(count: int, threads: int, repeats: int, say: Callable[[str], None]) -> list[Row]:
    """Iterations a second of each side.

    Raises:
        RuntimeError: The likelihoods differ.
    """
    nets = processes(count)
    with torch.no_grad():
        one, other = (float(nets[side].nll()) for side in ("ours", "GPyTorch's Cholesky"))
    if abs(one - other) > 1e-5:
        raise RuntimeError(f"n = {count}: the likelihood is {one} and GPyTorch's {other}")
    optimizers = {side: torch.optim.Adam(net.parameters(), lr=0.01) for side, net in nets.items()}
    facts = {"workload": f"exact GP, n = {count:,}", "threads": threads, "steps": STEPS, "samples": STEPS}
    table: dict[str, Row] = {side: {**facts, "side": side, "points": count, "rates": []} for side in nets}
    for side, net in nets.items():
        step(net, optimizers[side])  # warms up
    for _ in range(repeats):
        for side, net in nets.items():
            begin = time.perf_counter()
            for _ in range(STEPS):
                step(net, optimizers[side])
            table[side]["rates"].append(STEPS / (time.perf_counter() - begin))
            say(f"n = {count}, {side}: {1000 / table[side]['rates'][-1]:.0f} ms")
    return list(table.values())


def sparse(side: str, clock: Clock) -> None:
    """SVGP: the recipe's model and data, as ``dive fit`` trains them or in GPyTorch's own loop."""
    _, model, data = build([RECIPE, "--model.lr_scheduler", "null"])  # the loop has none
    net: Any = model.net
    assert isinstance(data, Friedman)
    if side == "ours":
        ours.fit(model, data, clock)
        return
    data.setup("fit")
    x, y = data.splits["train"][:2]
    net.begin(x, y)
    target = (y.double() - net.mean) / net.std
    evidence = gpytorch.mlls.VariationalELBO(net.likelihood, net.gp, num_data=len(x))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for rows in clock.batches(lambda: torch.randperm(len(x)).split(data.batch_size)):
        optimizer.zero_grad()
        (-evidence(net.gp(x[rows].double()), target[rows])).backward()
        optimizer.step()
        clock.tick(len(rows))


def measure(threads: int, repeats: int, say: Callable[[str], None]) -> list[Row]:
    """Steps a second of each side in each turn."""
    torch.set_num_threads(threads)
    rows = [row for count in POINTS for row in exact(count, threads, repeats, say)]
    table: dict[str, Row] = {}
    for _ in range(repeats):
        for side in ("ours", "GPyTorch's loop"):
            clock = Clock(SPARSE_STEPS, 2)
            sparse(side, clock)
            facts = {
                "workload": "SVGP",
                "threads": threads,
                "side": side,
                "steps": clock.steps,
                "samples": clock.samples,
            }
            row = table.setdefault(side, {**facts, "rates": []})
            row["rates"].append(clock.steps / clock.seconds)
            say(f"SVGP, {side}: {1000 / row['rates'][-1]:.1f} ms")
    return rows + list(table.values())
