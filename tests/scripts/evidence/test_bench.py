"""``dive bench``: every side does the same work, and what is measured becomes the page."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

from common.messages import UserError
from lit_models.attention.transformer import Transformer
from lit_models.layers.packed_linear import PackedLinear
from scripts.evidence import bench
from scripts.evidence.benches import (
    checkpoints,
    convnets,
    ddp,
    encoding,
    generation,
    processes,
    recurrent,
    rwkv,
    rwkv_work,
    shards,
    token_batches,
    translation,
)
from scripts.evidence.benches.page import GOALS, render
from scripts.evidence.benches.workloads import LEARNING_RATE, WORKLOADS, Clock, Workload
from scripts.front.build import build

NO_WORKERS = {name: bench.SLOW[name] for name in bench.SLOW if name == "d2l, 0 workers"}
WORKERS = {name: side for name, side in bench.SLOW.items() if name not in NO_WORKERS}
SMALL = replace(WORKLOADS[0], batch_size=256)


class Witness:
    """Counts, outside of all benchmark code, optimizer steps and the samples that reach the last layer."""

    def __init__(self) -> None:
        self.steps, self.samples, self.optimizers = 0, 0, list[torch.optim.Optimizer]()
        self.hooks = [
            register_optimizer_step_post_hook(self.step),
            register_module_forward_hook(self.forward),
        ]

    def step(self, optimizer: torch.optim.Optimizer, *args: Any) -> None:
        self.steps += 1
        self.optimizers.append(optimizer)

    def forward(self, module: nn.Module, inputs: tuple[torch.Tensor], output: Any) -> None:
        if isinstance(module, nn.Linear) and module.out_features == 10:
            self.samples += len(inputs[0])


@pytest.fixture
def witness() -> Iterator[Witness]:
    witness = Witness()
    yield witness
    for hook in witness.hooks:
        hook.remove()


def check_work(name: str, witness: Witness) -> None:
    clock = bench.timed((bench.FAST | bench.SLOW)[name], SMALL, steps=3, rows=600, warmup=1)
    assert (witness.steps, witness.samples) == (4, 256 + 256 + 88 + 256)  # an epoch of 600 images, and one batch more
    assert clock.samples == 256 + 88 + 256 and clock.seconds > 0
    groups = [group for optimizer in witness.optimizers for group in optimizer.param_groups]
    plain = {"lr": LEARNING_RATE, "momentum": 0, "weight_decay": 0, "nesterov": False}
    assert all({key: group[key] for key in plain} == plain for group in groups)
    assert all(type(optimizer) is torch.optim.SGD for optimizer in witness.optimizers)


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


def test_a_checkpoint_is_saved_as_a_run_saves_it_and_loaded_into_network_and_optimizer() -> None:
    (found,) = checkpoints.measure(2, lambda line: None, (2500,))
    assert found["parameters"] == 2500 and found["mb"] > 3 * 4 * 2500 / 1e6
    assert all(len(found[name]) == 2 and min(found[name]) > 0 for name in ("save", "torch.save", "load"))


def test_shards_and_memory_give_as_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHAPE", (3, 4, 4))
    rows = shards.measure(1, 1, lambda line: None, rows=1024)
    assert [r["side"] for r in rows] == ["in memory", "cold", "ours"] and {r["samples"] for r in rows} == {14 * 64}


def test_two_processes_of_more_threads_than_there_are_cores_are_left_out() -> None:
    lines: list[str] = []
    assert ddp.measure(4096, 1, lines.append) == [] and "need 8192 cores" in lines[0]


def test_batches_of_an_accumulated_step_are_whole_steps() -> None:
    assert all(c.steps % c.accumulate == c.warmup % c.accumulate == 0 for c in ddp.CASES)


@pytest.mark.slow
def test_two_processes_train_beside_one_with_each_loop() -> None:
    cases = (replace(ddp.CASES[3], steps=4, warmup=2), replace(ddp.CASES[2], steps=4, warmup=4))
    rows = ddp.measure(1, 1, lambda line: None, cases)
    assert [(r["workload"], r["side"]) for r in rows] == [(c.name, side) for c in cases for side in ddp.SIDES]
    assert all(len(r["rates"]) == 1 and r["rates"][0] > 0 for r in rows)
    assert [r["samples"] for r in rows] == [4 * 128, 8 * 128, 8 * 128, 4 * 32, 8 * 32, 8 * 32]


def test_page_shows_the_other_parts() -> None:
    scaling = [{"workload": "softmax", "threads": 1, "images": 7500, "seconds": [0.01, 0.02, 0.03]}]
    startup = [{"what": "a start", "wall": [1.0, 3.0, 2.0], "cpu": [0.5, 0.5, 0.5]}]
    page = render(fake(scaling=scaling, startup=startup, memory=[{"what": "ours", "mib": [300.0, 301.0, 302.0]}]))
    assert cells(page, "softmax", "1", "7,500")[3:] == ["0.020", "2.67"]
    assert cells(page, "a start")[1:] == ["2.00", "0.50"]
    assert cells(page, "ours")[1] == "301"


@pytest.mark.parametrize("side", ["bare", "ours"])
def test_both_sides_train_the_same_transformer_on_the_same_samples(side: str) -> None:
    torch.manual_seed(0)
    clock = Clock(steps=3, warmup=1)
    with bench.quiet():
        net = translation.SIDES[side](clock)
    assert (clock.count, clock.samples) == (4, 3 * translation.BATCH)
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in Transformer(200, 200).parameters())
    assert 4 < translation.final_loss(net) < 6  # chance is log 196 = 5.3


@pytest.mark.parametrize("side", ["bare", "ours"])
def test_each_turn_trains_from_a_seed_of_its_own(side: str) -> None:
    losses = []
    for seed in (0, 1, 1):
        torch.manual_seed(seed)
        with bench.quiet():
            losses.append(translation.final_loss(translation.SIDES[side](Clock(steps=1, warmup=1))))
    assert losses[0] != losses[1] == losses[2]


def test_the_bare_transformer_has_the_recipes_settings() -> None:
    _, model, data = build([translation.RECIPE, "--data", "scripts.evidence.benches.translation.Copies"])
    optimizer = model.configure_optimizers()
    assert optimizer.param_groups[0]["lr"] == translation.RATE and optimizer.param_groups[0]["fused"]
    assert data is not None and vars(data)["batch_size"] == translation.BATCH
    assert model.net.dropout.p == Transformer(9, 9).dropout.p and len(model.net.encoder) == 2


@pytest.mark.parametrize("name", convnets.NETWORKS)
def test_torchvisions_small_form_is_our_recipes_network(name: str) -> None:
    model, data = convnets.recipe(name)
    net = convnets.NETWORKS[name][1]()
    net.load_state_dict(model.net.state_dict())
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), net.eval()(x), rtol=1e-3, atol=1e-4)
    plain = {"momentum": 0, "nesterov": False, "weight_decay": 0, "fused": True, "lr": convnets.RATE}
    optimizer = model.optimizer(model.parameter_groups())
    assert all({key: group[key] for key in plain} == plain for group in optimizer.param_groups)
    assert data.batch_size == convnets.BATCH


@pytest.mark.parametrize("side", [name for name in convnets.training_sides("vgg11") if name != "naive Lightning"])
def test_every_side_trains_the_steps_it_is_asked_for(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnets, "BATCH", 4)
    clock = Clock(steps=1, warmup=1)
    with bench.quiet():
        convnets.training_sides("vgg11")[side](clock)
    assert (clock.count, clock.samples) == (2, 4)


@pytest.mark.slow
def test_so_do_the_sides_with_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnets, "BATCH", 4)
    for side in (convnets.training_sides("vgg11")["naive Lightning"], convnets.augment_singly):
        clock = Clock(steps=1, warmup=1)
        with bench.quiet():
            side(clock)
        assert clock.count == 2 and clock.samples in (4, convnets.AUGMENTED_BATCH)


def test_augmentation_and_inference_count_their_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnets, "BATCH", 4)
    cases = convnets.cases()
    for side, samples in ((cases["augmentation"][0]["ours"], 128), (cases["vgg11, inference"][0]["ours"], 4)):
        clock = Clock(steps=1, warmup=1)
        side(clock)
        assert (clock.count, clock.samples) == (2, samples)


@pytest.mark.parametrize("case", generation.CASES)
def test_both_sides_write_the_same_text(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    for length in ("NEW", "BEAM_NEW"):
        monkeypatch.setattr(generation, length, 6)
    rows, sides = generation.CASES[case]
    ours, theirs = (side(rows) for side in sides.values())
    assert ours.shape == (rows, 6) and torch.equal(ours, theirs)


@pytest.mark.slow
def test_both_sides_translate_and_train_alike_and_batches_by_tokens_are_of_the_same_recipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(token_batches, "NEW", 6)
    monkeypatch.setattr(token_batches, "TEXTS", ["--data.train_size", "200", *token_batches.TEXTS[2:]])
    token_batches.models.cache_clear()
    assert token_batches.beams(2, "ours") == token_batches.beams(2, "transformers")
    for side in ("ours", "transformers"):
        clock = Clock(steps=1, warmup=1)
        token_batches.step(clock, side)
        assert (clock.count, clock.samples) == (2, token_batches.ROWS)
    assert token_batches.beams(2, "ours") == token_batches.beams(2, "transformers")  # the weights are what they were
    token_batches.models.cache_clear()
    clock = Clock(steps=2, warmup=1)
    with bench.quiet():
        token_batches.train(clock, "tokens")
    assert clock.count == 3


def test_the_matrices_alone_are_all_of_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(generation, "NEW", 2)
    read = []

    def forward(layer: PackedLinear, x: Tensor) -> None:
        assert x.shape == (3, 1, layer.in_features)
        read.append(layer.in_features * layer.out_features)

    monkeypatch.setattr(PackedLinear, "forward", forward)
    assert generation.matrices(3) == 6
    assert sum(read) == 2 * (6 * 12 * 256 * 256 + 1000 * 256)  # of each layer qkv, output, inner, outer; the head


@pytest.mark.parametrize("side", recurrent.SIDES)
def test_recurrent_sides_take_the_same_steps(side: str, witness: Witness) -> None:
    clock = Clock(steps=10, warmup=1)
    with bench.quiet():
        recurrent.SIDES[side]("gru", clock)
    assert witness.steps == clock.count == 11
    assert clock.samples == recurrent.WINDOWS  # an epoch's last batch is smaller
    (group,) = witness.optimizers[-1].param_groups
    assert sum(p.numel() for p in group["params"]) == 3 * 32 * (28 + 32 + 2) + 28 * 33
    assert group["lr"] == 4.0


def test_clipping_by_the_book_is_clipping_of_the_norm() -> None:
    net = nn.Linear(3, 3)
    for scale in (10.0, 0.01):
        torch.manual_seed(0)
        net.zero_grad()
        (net(torch.randn(4, 3)).pow(2).sum() * scale).backward()
        wanted = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        recurrent.clip_by_the_book(net)
        found = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        for p, gradient in zip(net.parameters(), wanted, strict=True):
            p.grad = gradient
        nn.utils.clip_grad_norm_(net.parameters(), recurrent.CLIP)
        for p, gradient in zip(net.parameters(), found, strict=True):
            torch.testing.assert_close(gradient, p.grad)


def test_both_sides_encode_the_same_ids() -> None:
    rows = encoding.measure(1, 1, lambda line: None)  # raises where they differ
    assert [row["side"] for row in rows] == ["ours", "tokenizers"] and all(row["rates"][0] > 0 for row in rows)


def test_page_shows_losses_and_tokens() -> None:
    rows = [
        row("transformer", "ours", 100.0) | {"losses": [2.0]},
        row("transformer", "bare", 100.0) | {"losses": [3.0]},
    ]
    writing = [row("writing, batch 1", "ours", 300.0), row("writing, batch 1", "transformers", 100.0)]
    page = render(fake(transformer=rows, generation=writing))
    assert cells(page, "1", "bare")[2] == "3.000"
    assert cells(page, "writing, batch 1: ours / transformers")[2] == "3.00" and "tokens/s" in page


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


@pytest.mark.slow
def test_memory_of_a_child_is_its_own() -> None:
    hoard = torch.ones(200_000_000)  # 800 MB in this process, which ru_maxrss of a child would begin with
    sizes = [processes.training_memory(side, options, steps=1) for side, options in processes.SIDES.values()]
    assert min(sizes) > 100 and max(sizes) < processes.peak_memory() and len(hoard)


@pytest.mark.slow
@pytest.mark.parametrize("what", list(processes.STARTS))
def test_every_command_whose_start_is_measured_runs(what: str) -> None:
    wall, cpu, _ = processes.python(processes.STARTS[what])
    assert wall > 0 and cpu > 0


@pytest.mark.slow
def test_the_sides_of_rwkv_compute_the_same_and_all_are_measured() -> None:
    work = rwkv_work.Work(64, 2, rows=2, length=20, tokens=4, prompt=9, far=3000, steps=2, warmup=1)
    rows = rwkv.measure(1, 1, lambda line: None, work)
    sides = {(row["workload"], row["side"]) for row in rows}
    assert {("training, RWKV-4", "transformers"), ("training, RWKV-7", "bare"), ("WKV, RWKV-5.2", "loop")} <= sides
    for version in rwkv_work.NAMES.values():
        for kind, other in (("sixteen texts", "one text"), ("prefill", "token by token"), ("a long text", "early")):
            assert {(f"{kind}, {version}", "ours"), (f"{kind}, {version}", other)} <= sides
        assert (f"generation, {version}", "rwkv package") in sides
    assert all(len(row["rates"]) == 1 and row["rates"][0] > 0 for row in rows)
    page = render(fake(rwkv=rows))
    assert "## RWKV" in page and "WKV, RWKV-4: ours / loop" in page


def test_sides_that_differ_are_no_comparison() -> None:
    rwkv_work.same("x", torch.ones(3), torch.ones(3) + 1e-5)
    for wrong in (1.1, float("nan")):
        with pytest.raises(RuntimeError, match="x: the sides differ"):
            rwkv_work.same("x", torch.ones(3), torch.full((3,), wrong))
