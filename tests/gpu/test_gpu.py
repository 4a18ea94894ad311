"""What needs a GPU: `make test-gpu`. Every recipe in three precisions, resume with CUDA's states, NCCL, memory, speed.

Skipped where there is none. Not run so far: no machine of the project has a GPU.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_models.cnn.lenet import LitLeNet
from scripts.cli import main
from scripts.front.recipes import Recipe, all_recipes
from scripts.front.runs import newest_run
from tests.distributed.divided_runs import train
from tests.faults.runs import same
from tests.gpu.speed import CASES, measure
from tests.recipes import build, params, run_all_verbs, small
from tests.warm import start_ranks, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: not run"),
]
GPU = ["--trainer.accelerator", "gpu", "--trainer.devices", "1"]
OFFLINE = [recipe for recipe in all_recipes() if recipe.offline]
VARIANTS: dict[str, list[str]] = {"fp32": [], "bf16": ["-c", "trainer/bf16"], "compiled": ["-c", "trainer/compile"]}


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("recipe", params(OFFLINE))
def test_recipe_runs_one_batch_of_each_verb(
    recipe: Recipe, variant: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if variant in recipe.exempt_presets:
        pytest.skip(recipe.exempt_presets[variant])
    run_all_verbs(build(recipe.name, monkeypatch, tmp_path, *small(recipe), *VARIANTS[variant], *GPU))


def test_a_run_resumes_to_the_last_bit_with_cudas_random_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    words = ["fit", "mlp/dropout", *GPU, "--trainer.deterministic", "true", "--trainer.limit_train_batches", "8"]
    assert main([*words, "--trainer.max_epochs", "2"]) == 0
    straight = last_weights("mlp/dropout")
    assert main([*words, "--trainer.max_epochs", "1"]) == 0
    assert main([*words, "--resume", "--trainer.max_epochs", "2"]) == 0
    assert same(straight, last_weights("mlp/dropout"))


def last_weights(recipe: str) -> dict[str, Any]:
    return torch.load(newest_run(recipe) / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def test_nccl_trains_with_one_device() -> None:
    quick = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.max_epochs", "1"]
    assert main(["fit", "cnn/lenet", "-c", "trainer/ddp", *GPU, *quick]) == 0
    assert json.loads((newest_run("cnn/lenet") / "run.json").read_text())["processes"] == 1


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs: not run")
@pytest.mark.parametrize(("name", "kind"), [("gpt", "tensor"), ("lenet", "pipeline")])
def test_two_gpus_train_save_and_test_a_divided_network(name: str, kind: str, tmp_path: Path) -> None:
    ranks = start_ranks(partial(train, tmp_path, name, kind, 2, accelerator="gpu"), folder=tmp_path)
    assert wait(*ranks) == [0, 0], "\n".join(path.read_text()[-2000:] for path in tmp_path.glob("rank*.log"))


def test_channels_last_and_float32_give_the_cpus_numbers() -> None:
    torch.manual_seed(0)
    net, x = LitLeNet(activation="relu").net, torch.rand(8, 1, 28, 28)
    expected = net(x)
    torch.testing.assert_close(net.cuda()(x.cuda()).cpu(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", list(CASES))
def test_speed_memory_and_utilization(name: str) -> None:
    """Prints a row for docs/parallel.md: the recipe's loop beside the bare loop."""
    row = measure(name)
    print(json.dumps(row))
    assert row["ours"] >= 0.9 * row["bare"]
    assert row["peak_gib"] < 0.9 * torch.cuda.get_device_properties(0).total_memory / 2**30
