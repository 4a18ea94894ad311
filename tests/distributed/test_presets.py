"""Every preset of configs/trainer is used by a test, or says that it needs a GPU.

Those of several processes run a batch of each verb of every recipe; quickly, of one recipe of two topics.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from scripts.cli import main
from scripts.front.recipes import CONFIGS, Recipe, all_recipes
from scripts.front.runs import newest_run
from tests.distributed.presets import train
from tests.presets import ONE_BATCH, preset_params, run_verbs, step_taken
from tests.recipes import params, small
from tests.warm import dive, lines, start, start_ranks, wait

LENET = "cnn/lenet"
TRANSFORMER = "attention/transformer"
QUICK = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.max_epochs", "1"]
#: Of the step's length. Weights in another order of memory round in another way, which 60 layers of untrained batch
#: normalization make 7 % of a gradient in single precision (RegNet; 1e-14 in double precision).
SAME_STEP = 0.2
USED = {
    "cpu": "../callbacks/test_sharded.py",
    "ddp": "test_launchers.py",
    "ddp_find_unused": "test_presets.py",
    "debug": "test_presets.py",
    "bf16": "test_presets.py",
    "fsdp": "../callbacks/test_sharded.py",
    "tensor_parallel": "test_presets.py",
    "pipeline": "test_presets.py",
    "sync_batch_norm": "test_batch_norm_over_processes.py",
    "compile": "../callbacks/test_compiled.py",
    "activation_checkpointing": "../callbacks/test_activation_checkpointing.py",
    "profile": "test_presets.py",
    "range_test": "../callbacks/pictures/test_range_test.py",
    "fp16": "test_presets.py, where there is a GPU",
    "slurm": "test_slurm.py, through scripts/slurm",
    "gpu": "test_presets.py, where there is a GPU",
}


def test_each_preset_is_used() -> None:
    assert {path.stem for path in (CONFIGS / "trainer").glob("*.yaml")} == set(USED)
    for name, where in USED.items():
        file = Path(__file__).parent / where.split(",")[0]
        assert f"trainer/{name}" in file.read_text() or "scripts/slurm" in where


def one_run(folder: Path, name: str) -> dict[str, str | None]:
    """The environment in which all processes use one run folder, which exists."""
    run = folder / "runs" / name / "1"
    run.mkdir(parents=True)
    return {"DIVE_RUNS": str(folder / "runs"), "DIVE_RUN_DIR": str(run)}


def log_of(folder: Path) -> str:
    return "\n".join(path.read_text()[-2000:] for path in sorted(folder.glob("*.log")))


# tests/test_presets.py runs debug too
@pytest.mark.parametrize("preset", [pytest.param("trainer/debug", marks=pytest.mark.slow), "trainer/bf16"])
def test_a_run_goes_on_is_tested_and_exported(preset: str) -> None:
    words = ["--trainer.accelerator", "cpu", *QUICK, "-c", preset]
    assert main(["fit", LENET, *words]) == 0
    assert main(["fit", LENET, "--resume", "--trainer.max_epochs", "2"]) == 0
    run = newest_run(LENET)
    assert json.loads((run / "run.json").read_text())["epochs"] == 2
    assert main(["test", LENET, "--trainer.limit_test_batches", "1"]) == main(["export", LENET]) == 0
    assert (run / "export/model.safetensors").is_file()


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_is_tested_in_one_and_exported(tmp_path: Path) -> None:
    """FSDP's are in ``tests/callbacks/test_sharded.py``."""
    env = one_run(tmp_path, LENET)
    words = ["fit", LENET, "--trainer.accelerator", "cpu", *QUICK, "-c", "trainer/ddp_find_unused"]
    assert wait(*start_ranks(dive, *words, folder=tmp_path, env=env)) == [0, 0], log_of(tmp_path)
    more = ["--resume", "--trainer.max_epochs", "2"]
    assert wait(*start_ranks(dive, *words, *more, folder=tmp_path, env=env)) == [0, 0], log_of(tmp_path)
    record = json.loads((tmp_path / "runs" / LENET / "1/run.json").read_text())
    assert (record["epochs"], record["processes"]) == (2, 2)
    for verb in (["test", LENET, "-c", "trainer/cpu"], ["export", LENET]):
        assert wait(start(dive, *verb, log=tmp_path / "one.log", env=env)) == [0], (tmp_path / "one.log").read_text()


@pytest.mark.parametrize(
    ("name", "preset"),
    [pytest.param(TRANSFORMER, "trainer/tensor_parallel", marks=pytest.mark.slow), (LENET, "trainer/pipeline")],
)
def test_a_run_of_a_divided_network_is_tested_in_one_process(name: str, preset: str, tmp_path: Path) -> None:
    """More is in test_divided_networks.py."""
    env = one_run(tmp_path, name)
    few = ["--data.eval_batch_size", "16", "--trainer.limit_test_batches", "1"]
    words = ["fit", name, "--trainer.accelerator", "cpu", *QUICK, *few[:2], "-c", preset]
    assert wait(*start_ranks(dive, *words, folder=tmp_path, env=env)) == [0, 0], log_of(tmp_path)
    tested = wait(start(dive, "test", name, *few[2:], "-c", "trainer/cpu", log=tmp_path / "one.log", env=env))
    assert tested == [0], (tmp_path / "one.log").read_text()[-2000:]


@pytest.mark.slow
def test_divided_weights_generate_where_one_process_has_more_to_do(tmp_path: Path) -> None:
    """One process has two batches of the test split, the other one; then a picture looks at the network in both."""
    env = one_run(tmp_path, TRANSFORMER)
    sizes = {"train_size": 400, "val_size": 40, "test_size": 15, "eval_batch_size": 7}
    rows = [word for name, size in sizes.items() for word in (f"--data.{name}", str(size))]
    once = ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    for words in (["fit", TRANSFORMER, *once, *rows], ["test", TRANSFORMER]):
        ranks = start_ranks(dive, *words, "-c", "trainer/fsdp", folder=tmp_path, env=env)
        assert wait(*ranks) == [0, 0], log_of(tmp_path)
    assert (tmp_path / "runs" / TRANSFORMER / "1/heads.png").is_file()


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("preset", ["trainer/gpu", "trainer/fp16"])
def test_it_trains_on_a_gpu(preset: str) -> None:
    assert main(["fit", LENET, *QUICK, "-c", preset]) == 0


def test_profile_leaves_a_table_and_a_trace() -> None:
    words = ["--trainer.accelerator", "cpu", "-c", "trainer/profile", "--trainer.limit_train_batches", "6"]
    assert main(["fit", LENET, *words, "--data.batch_size", "8"]) == 0
    names = [path.name for path in newest_run(LENET).iterdir()]
    assert any(name.startswith("fit-profile") and name.endswith(".txt") for name in names)
    assert any("trace" in name and name.endswith(".json") for name in names)


@pytest.mark.parametrize(("preset", "code"), [("trainer/ddp", 1), ("trainer/ddp_find_unused", 0)])
def test_parameters_without_a_gradient_need_their_own_preset(preset: str, code: int, tmp_path: Path) -> None:
    codes = wait(*start_ranks(train, tmp_path, preset, folder=tmp_path))
    assert codes == [code, code], (tmp_path / "rank0.log").read_text()[-2000:]
    if code:
        assert "parameters that were not used in producing the loss" in (tmp_path / "rank0.log").read_text()


# -- every recipe ---------------------------------------------------------------------------------------------------

Record = Callable[[str, object], None]


def codes_of(recipe: Recipe, preset: str, folder: Path, record_property: Record) -> list[int]:
    """The exit codes of two processes that run a batch of each verb."""
    (folder / preset / "run").mkdir(parents=True)
    codes = wait(*start_ranks(run_verbs, recipe.name, preset, folder / preset, folder=folder / preset))
    record_property("cpu_seconds", sum(map(float, (folder / preset / "cpu").read_text().split())))
    return codes


@pytest.mark.parametrize("recipe", preset_params("ddp_find_unused", "fsdp", topics=2))
def test_recipe_runs_one_batch_of_each_verb_in_two_processes_and_takes_one_step(
    recipe: Recipe, tmp_path: Path, record_property: Record
) -> None:
    """With whole weights and with divided ones; their steps are equal but for what another order of memory rounds."""
    steps = []
    for preset in {"ddp_find_unused", "fsdp"} - set(recipe.exempt_presets):
        assert codes_of(recipe, preset, tmp_path, record_property) == [0, 0], log_of(tmp_path / preset)
        steps.append(torch.cat([value.flatten().double() for value in step_taken(tmp_path / preset).values()]))
    assert float((steps[0] - steps[-1]).norm()) < SAME_STEP * float(steps[0].norm())


@pytest.mark.slow
@pytest.mark.parametrize("recipe", params(recipe for recipe in all_recipes() if "fsdp" in recipe.exempt_presets))
def test_an_exemption_is_of_a_recipe_that_ends_with_one_line(recipe: Recipe, tmp_path: Path) -> None:
    env = one_run(tmp_path, recipe.name)
    words = ["fit", recipe.name, "-c", "trainer/fsdp", *ONE_BATCH, *small(recipe)]
    codes = wait(*start_ranks(dive, *words, folder=tmp_path, env=env))
    assert 0 not in codes, f"{recipe.name} needs no exemption"
    assert "Traceback" not in log_of(tmp_path) and "-c trainer/ddp" in lines(tmp_path / "rank0.log")[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "metric", "tolerance", "words"),
    [
        (LENET, "test/acc", {"abs": 4 * 0.003}, []),  # four times the spread of three seeds (RESULTS.md)
        ("mlp/house_prices", "test/rmse", {"rel": 0.02}, ["--trainer.max_epochs", "20"]),
    ],
)
def test_bfloat16_reaches_the_same_number(
    name: str, metric: str, tolerance: dict[str, float], words: list[str], tmp_path: Path
) -> None:
    """docs/many_processes.md states the speed."""
    reached = []
    for precision, preset in (("float32", []), ("bf16", ["-c", "trainer/bf16"])):
        env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / precision)}
        log = tmp_path / f"{precision}.log"
        for verb, more in (("fit", [*preset, *words]), ("test", [])):
            assert wait(start(dive, verb, name, *more, log=log, env=env), seconds=900) == [0]
        reached.append(float(log.read_text().rsplit(metric, 1)[1].split()[0]))
    assert reached[1] == pytest.approx(reached[0], **tolerance)
