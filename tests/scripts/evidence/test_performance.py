"""``dive performance``: what the studies of D2L 13 count and compare, tables and pictures; whole studies are slow."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from common.messages import UserError
from scripts.evidence import performance
from scripts.evidence.studies import asynchronous, compiled, hardware, overlap, page, roofline
from scripts.evidence.studies.work import Setting, Training, seconds, training

SMALL = Setting(small=True, say=lambda line: None)
FACTS = {
    "machine": {"cpu": "C", "cores": 2, "load": 9.5, "torch": "2"},
    **{"commit": "abc", "date": "today", "threads": 1, "small": True},
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "hardware": [
        {"kind": "item", "what": "memory", "bytes": 2**26, "here": 9.2e-8, "book": 4.6e-8},
        {"kind": "item", "what": "1 MB to a GPU", "here": None, "book": 80e-6},
        {"kind": "copy", "where": "CPU", "threads": 1, "bytes": 2**15, "rate": 4e10},
        {"kind": "product", "where": "CPU", "threads": 2, "type": "bfloat16", "side": 2048, "rate": 5e11},
        {"kind": "network", "latency": 5e-5, "rate": 2e9},
    ],
    "compile": [
        {"network": name, "recipe": name, "where": "CPU", "parameters": 1000, "batch": 8, "compiling": 10.0}
        | {"eager": [0.02, 0.02, 0.03], "compiled": made}
        for name, made in {"Faster": [0.01, 0.01, 0.02], "Slower": [0.04, 0.04, 0.04]}.items()
    ],
    "asynchronous": [
        {"kind": "call", "what": "an operator", "where": "CPU", "returned": 1e-3, "done": 1e-3},
        {"kind": "chain", "where": "CPU, a second thread", "calls": 100, "each": 0.2, "once": 0.1},
    ],
    "overlap": [
        {"what": "loading", "where": "CPU", "steps": 2, "after": 0.03, "overlapped": 0.02, "limit": 0.018}
        | {"spans": {"after": [["load", 0.0, 0.01], ["compute", 0.01, 0.03]]}}
    ],
    "roofline": [
        {"kind": "roof", "rate": 1e11, "bandwidth": 1e10},
        {"kind": "network", "network": "N", "recipe": "a/n", "parameters": 9, "batch": 8}
        | {"operations": 2_000_000, "bytes": 1_000_000, "seconds": 2e-4},
    ],
}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(performance, "RESULT", tmp_path / "performance.json")
    results = {study: {**FACTS, "rows": rows} for study, rows in ROWS.items()}
    (tmp_path / "performance.json").write_text(json.dumps(results))
    return tmp_path


def test_the_page_has_all_tables_with_the_machine_that_they_hold_for(measured: Path) -> None:
    target = measured / "page.md"
    target.write_text("".join(f"<!--performance {study}-->\nold\n<!--/performance-->\n" for study in page.TABLES))
    performance.render(target)
    text = target.read_text()
    assert "old" not in text and text.count("load 9.5 at the start, 1 thread; torch 2; commit abc, today. Small") == 5
    assert "| memory | 92 ns | 46 ns |" in text and "| 1 MB to a GPU | not run | 80 us |" in text
    assert "| 2.00 (1.50 to 2.00) | 10.0 s | 1,000 |" in text and "| 10.0 s | never |" in text
    assert "| 30 ms | 20 ms | 18 ms | 1.50 |" in text
    assert "| 2.0 | 200 us | 10.00 | bandwidth | 50 % |" in text  # 2 operations a byte at 10 GB/s: a roof of 20 GFLOP/s
    (measured / "performance.json").unlink()
    performance.render(target)
    assert target.read_text().count("Not run: `dive performance ") == 5
    target.write_text("nothing")
    with pytest.raises(UserError, match="has no <!--performance hardware-->"):
        performance.render(target)


def test_each_study_has_its_picture(measured: Path) -> None:
    performance.draw(measured)
    assert {path.stem for path in measured.glob("*.png")} == set(page.TABLES) == set(performance.measures())


def test_a_study_that_is_measured_again_replaces_its_numbers_alone(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(performance, "measures", lambda: {"overlap": lambda setting: ROWS["overlap"]})
    assert performance.main(["overlap", "--threads", "2"]) == 0  # without --write nothing is kept
    assert "| 30 ms | 20 ms |" in capsys.readouterr().out and performance.read()["overlap"]["threads"] == 1
    performance.keep("overlap", performance.run("overlap", Setting(threads=2)))
    found = performance.read()
    assert list(found) == list(page.TABLES) and (found["overlap"]["threads"], found["hardware"]["threads"]) == (2, 1)


def test_a_misspelled_study_is_one_line() -> None:
    with pytest.raises(UserError, match="did you mean 'roofline'"):
        performance.main(["rofline"])


def test_operations_and_bytes_of_a_dense_network_are_those_of_the_formulas() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(32, 64, bias=False), nn.Sigmoid(), nn.Linear(64, 16, bias=False))

        def training_step(self, batch: tuple[torch.Tensor], index: int) -> torch.Tensor:
            return self.net(batch[0]).sum()

    model, rows = Model(), 8
    work = Training("x", model, (torch.randn(rows, 32),), torch.optim.SGD(model.parameters(), 0.1))
    operations, moved = roofline.count(work)
    first, second = 2 * rows * 32 * 64, 2 * rows * 64 * 16
    assert operations == 2 * first + 3 * second  # the first layer's input needs no gradient
    assert moved == 3 * 4 * (32 * 64 + 64 * 16) + 2 * 4 * rows * 64 + 4 * rows * 32  # the sigmoid's output is kept


def test_a_recipes_step_trains_its_weights_and_a_twin_has_its_own() -> None:
    torch.manual_seed(0)
    work = training(["linear/softmax_regression", "--data.batch_size", "8"])
    twin = work.twin()
    losses = [float(work.step()) for _ in range(3)]
    assert losses[2] < losses[0] and float(twin.step()) == losses[0]


def test_a_network_that_compiling_changes_is_no_comparison() -> None:
    compiled.same("x", torch.tensor(2.0), torch.tensor(2.001))
    for wrong in (2.01, float("nan")):
        with pytest.raises(RuntimeError, match=r"x: the first loss is 2\.00000 eager and"):
            compiled.same("x", torch.tensor(2.0), torch.tensor(wrong))


def test_the_chase_visits_each_cache_line_once() -> None:
    following, at, seen = hardware.cycle(16 * 1024), 0, set()
    while at not in seen:
        seen.add(at)
        at = int(following[at])
    assert seen == set(np.arange(0, 4096, 16).tolist())


def test_a_call_that_hands_work_over_returns_before_it_is_done() -> None:
    rows = {row["what"]: row for row in asynchronous.on_the_cpu(128, repeats=1)}
    assert all(0 < row["returned"] <= row["done"] for row in rows.values()) and len(rows) == 2


def test_spans_of_loading_follow_each_other_where_nothing_runs_ahead() -> None:
    whole, loads, spans = overlap.loading(workers=0, batches=3, rows=2)
    assert 0 < loads < whole and [kind for kind, _, _ in spans] == ["load", "compute"] * 3
    assert all(a[2] <= b[1] for a, b in pairwise(spans))


def test_a_buckets_sum_begins_when_it_is_ready_and_the_one_before_is_done() -> None:
    times = {"ready 0": 1.0, "averaged 0": 4.0, "ready 1": 2.0, "averaged 1": 5.0, "ready 2": 9.0, "averaged 2": 9.5}
    spans = overlap.spans_of(times, 3, begin=0.0, end=9.2)
    assert spans == [("compute", 0.0, 9.2), ("send", 1.0, 4.0), ("send", 4.0, 5.0), ("send", 9.0, 9.5)]


def test_a_clock_gives_the_seconds_of_a_call() -> None:
    assert 0 < seconds(lambda: torch.ones(10).sum(), 1, at_least=0.01) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("study", page.TABLES)
def test_each_study_is_measured(study: str) -> None:
    rows = performance.measures()[study](SMALL)
    assert page.TABLES[study](rows)
    if study == "overlap":
        assert all(row["overlapped"] > 0 and row["spans"]["overlapped"] for row in rows)


def test_a_wrong_name_is_said_before_torch_is_imported() -> None:
    assert tuple(page.TABLES) == performance.STUDIES
    code = "import sys, scripts.evidence.performance; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
