"""``dive bench``: every side does the same work, and what is measured becomes the page."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from common.messages import UserError
from scripts.evidence import bench
from scripts.evidence.benches.page import GOALS, render
from scripts.evidence.benches.workloads import LEARNING_RATE, WORKLOADS, Clock, Workload
from scripts.front.build import build
from tests.scripts.evidence.witness import Witness

NO_WORKERS = {name: bench.SLOW[name] for name in bench.SLOW if name == "d2l, 0 workers"}
WORKERS = {name: side for name, side in bench.SLOW.items() if name not in NO_WORKERS}
SMALL = replace(WORKLOADS[0], batch_size=256)


def check_work(name: str, witness: Witness) -> None:
    clock = bench.timed((bench.FAST | bench.SLOW)[name], SMALL, steps=3, rows=600, warmup=1)
    assert (witness.steps, witness.samples) == (4, 256 + 256 + 88 + 256)  # an epoch of 600 images, and one batch more
    assert clock.samples == 256 + 88 + 256 and clock.seconds > 0
    groups = [group for optimizer in witness.optimizers for group in optimizer.param_groups]
    plain = {"lr": LEARNING_RATE, "momentum": 0, "weight_decay": 0, "nesterov": False}
    assert all({key: group[key] for key in plain} == plain for group in groups)
    assert all(type(optimizer) is torch.optim.SGD for optimizer in witness.optimizers)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*bench.FAST, *NO_WORKERS])
def test_every_side_takes_the_same_steps_on_the_same_number_of_samples(name: str, witness: Witness) -> None:
    check_work(name, witness)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WORKERS))
def test_so_do_the_sides_with_worker_processes(name: str, witness: Witness) -> None:
    check_work(name, witness)


@pytest.mark.parametrize("work", WORKLOADS, ids=lambda work: work.name)
def test_our_recipe_has_the_network_and_batch_size_of_the_other_sides(work: Workload) -> None:
    _, model, data = build([work.recipe])
    ours = [tuple(p.shape) for p in model.parameters()]
    assert ours == [tuple(p.shape) for p in work.network().parameters()]
    kinds = (nn.Sigmoid, nn.ReLU, nn.AvgPool2d, nn.MaxPool2d)
    layers = [[type(m) for m in net.modules() if isinstance(m, kinds)] for net in (model, work.network())]
    assert layers[0] == layers[1]
    assert data is not None and vars(data)["batch_size"] == work.batch_size


def test_a_side_that_stops_early_is_refused() -> None:
    with pytest.raises(RuntimeError, match="0 steps instead of 3"):
        bench.timed(lambda work, clock, rows: None, SMALL, steps=2, rows=600, warmup=1)


def test_the_sides_take_turns() -> None:
    turns = []

    def side(name: str) -> bench.Side:
        def train(work: Workload, clock: Any, rows: int) -> None:
            turns.append(name)
            for _ in range(clock.total):
                clock.tick(1)

        return train

    rows = bench.training(SMALL, threads=1, repeats=2, sides={"ours": side("a"), "bare": side("b")})
    assert turns == ["a", "b", "a", "b"]
    assert [len(row["rates"]) for row in rows] == [2, 2]


def fake(**parts: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"training": [], "scaling": [], "startup": [], "memory": []}
    return {"parts": {part: on("abc") for part in parts}} | empty | parts


def on(commit: str) -> dict[str, Any]:
    machine = {"cpu": "C", "cores": 2, "load": 0.0, "python": "3", "torch": "2", "lightning": "2"}
    return {"machine": machine, "commit": commit, "date": "today"}


def row(workload: str, side: str, *rates: float) -> dict[str, Any]:
    return {"workload": workload, "threads": 1, "side": side, "steps": 3, "samples": 768, "rates": list(rates)}


def cells(page: str, *start: str) -> list[str]:
    """The cells of the line of a table that begins with ``start``."""
    found = [line for line in page.splitlines() if line.startswith("| " + " | ".join(start) + " |")]
    assert len(found) == 1
    return [cell.strip() for cell in found[0].strip("|").split("|")]


def test_page_shows_ratios_of_medians_with_their_spread_and_judges_the_goals() -> None:
    rates = [row("softmax", "bare", 100, 200, 400), row("softmax", "ours", 80, 100, 240)]
    slow = [row("softmax", "d2l, 0 workers", 10, 10, 10), row("softmax", "d2l, 4 workers", 1, 20, 20)]
    page = render(fake(training=rates + slow))
    assert cells(page, "softmax", "1", "bare")[3:5] == ["200", "0.50 (0.50 to 0.80)"]
    assert cells(page, "softmax: ours / bare")[2:] == ["0.50", ">= 0.55", GOALS[1].why, "**MISS**"]
    assert cells(page, "softmax: ours / d2l")[2] == "5.00"  # against the better number of workers
    assert cells(page, "lenet: ours / bare")[-1] == "not run"


def test_a_part_that_is_measured_again_replaces_its_rows_alone() -> None:
    old = fake(training=[row("softmax", "bare", 1.0), row("lenet", "bare", 1.0)], memory=[{"what": "x", "mib": [1.0]}])
    old["parts"] = {"softmax": on("old"), "lenet": on("old"), "memory": on("old")}
    new = fake(training=[row("lenet", "bare", 2.0)])
    new["parts"] = {"lenet": on("new")}
    found = bench.merged(old, new, ["lenet"])
    assert [(r["workload"], r["rates"]) for r in found["training"]] == [("softmax", [1.0]), ("lenet", [2.0])]
    assert found["memory"] == old["memory"] and found["generation"] == []
    page = render(found)
    assert "softmax, memory: C, 2 cores" in page and "commit old" in page and "\n\nlenet: C" in page
    assert bench.merged({}, new, ["lenet"])["training"] == new["training"]


def test_page_shows_two_processes_shards_and_checkpoints() -> None:
    two = [row("two processes, lenet", "one process", 100.0), row("two processes, lenet", "bare", 150.0)]
    two.append(row("two processes, lenet", "ours", 144.0))
    files = [row("data larger than memory", "in memory", 100.0), row("data larger than memory", "ours", 80.0)]
    saved = [{"parameters": 10**6, "mb": 12.0, "save": [0.02, 0.5, 0.04], "torch.save": [0.01], "load": [0.03]}]
    page = render(fake(ddp=two, shards=files, checkpoints=saved))
    assert cells(page, "two processes, lenet: ours / one process")[2:4] == ["1.44", ">= 1.35"]
    assert cells(page, "two processes, lenet: ours / bare")[2] == "0.96"
    assert cells(page, "data larger than memory: ours / in memory")[-1] == "**MISS**"
    assert cells(page, "1,000,000")[1:] == ["12", "0.040", "0.010", "0.030"]


def test_page_shows_the_other_parts() -> None:
    scaling = [{"workload": "softmax", "threads": 1, "images": 7500, "seconds": [0.01, 0.02, 0.03]}]
    startup = [{"what": "a start", "wall": [1.0, 3.0, 2.0], "cpu": [0.5, 0.5, 0.5]}]
    page = render(fake(scaling=scaling, startup=startup, memory=[{"what": "ours", "mib": [300.0, 301.0, 302.0]}]))
    assert cells(page, "softmax", "1", "7,500")[3:] == ["0.020", "2.67"]
    assert cells(page, "a start")[1:] == ["2.00", "0.50"]
    assert cells(page, "ours")[1] == "301"


def test_page_shows_losses_and_tokens() -> None:
    rows = [
        row("transformer", "ours", 100.0) | {"losses": [2.0]},
        row("transformer", "bare", 100.0) | {"losses": [3.0]},
    ]
    writing = [row("generation, batch 1", "ours", 300.0), row("generation, batch 1", "transformers", 100.0)]
    page = render(fake(transformer=rows, generation=writing))
    assert cells(page, "1", "bare")[2] == "3.000"
    assert cells(page, "generation, batch 1: ours / transformers")[2] == "3.00" and "tokens/s" in page


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["lenett"], "did you mean 'lenet'"),
        (["--write", "--repeats", "2"], "at least five times"),
        (["--repeats", "0"], "at least 1"),
    ],
)
def test_mistakes_are_named(argv: list[str], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        bench.main(argv)


def test_a_clock_gives_epoch_after_epoch_until_its_steps_are_done() -> None:
    clock, seen = Clock(steps=3, warmup=2), []
    for number in clock.batches(lambda: range(2)):
        seen.append(number)
        clock.tick(1)
    assert seen == [0, 1, 0, 1, 0] and clock.samples == 3
