"""Every recipe: its header says what it is, its config survives a dump, and each verb runs one batch."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from scripts.front.arguments import resolve
from scripts.front.lightning_cli import DiveCLI
from scripts.front.links import declared_links
from scripts.front.recipes import CONFIGS, PRESETS, all_recipes, find_recipe
from tests.not_at_hand import NOT_AT_HAND

RECIPES = all_recipes()
NAMES = [r.name for r in RECIPES]
OFFLINE = [r.name for r in RECIPES if r.offline]
ONLINE = [r.name for r in RECIPES if not r.offline and r.name not in NOT_AT_HAND]
#: The book's own recipes on small pieces of public data need a smaller validation split.
PIECES = {
    "FashionMNIST": ["--data.val_size", "100"],
    "CIFAR10": ["--data.val_size", "500"],
    "FraEng": ["--data.train_size", "400"],
    "Multi30k": ["--data.max_length", "8", "--data.tokenizer", "space"],
}
#: The columns of a file decide how wide these models are: they are built only where it lies.
WITH_FILE = dict.fromkeys(("linear/linear_regression_house_prices", "mlp/house_prices_kaggle"), pytest.mark.realdata)
#: A batch of a recipe takes a network of images most of a test's budget, one of 224 pixels all of it; an untrained
#: translator writes to the last token, and a large batch of that takes a minute.
EIGHT = ["--data.batch_size", "8", "--data.eval_batch_size", "8"]
SMALL_BATCHES = {"cnn": EIGHT, "rnn": EIGHT, "attention": EIGHT}


def build(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *extra: str) -> DiveCLI:
    """The recipe's objects, built by the command's own parser, with a trainer for one batch that writes nothing."""
    monkeypatch.chdir(tmp_path)  # whatever a trainer without a run folder writes
    command = resolve("fit", [name, "--trainer.fast_dev_run", "1", "--trainer.accelerator", "cpu", *extra])
    monkeypatch.setattr(sys, "argv", ["dive", "fit", *command.args])
    command.verb, command.recipe = "", ""  # no subcommand: build, do not run, make no run folder
    monkeypatch.setattr(sys, "argv", ["dive", *command.args])
    return DiveCLI(command, run=False)


@pytest.mark.parametrize("name", NAMES)
def test_header_says_what_it_is(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.title
    for key in ("plan", "section", "data"):
        assert recipe.header.get(key), f"{name}: the header has no {key}"
    if recipe.offline:
        assert recipe.threshold, f"{name}: an offline recipe states a number (threshold: metric >= value)"
        assert recipe.header.get("ablation"), f"{name}: an offline recipe names an ablation that misses it"
    else:
        assert recipe.header.get("book"), f"{name}: a recipe on public data names the book's number, or says not stated"


@pytest.mark.parametrize("name", NAMES)
def test_config_never_writes_the_target_of_a_link(name: str) -> None:
    model = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["model"]
    assert not set(model.get("init_args", {})) & declared_links()


@pytest.mark.parametrize("name", [pytest.param(n, marks=WITH_FILE.get(n, ())) for n in NAMES])
def test_config_survives_a_dump(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cli = build(name, monkeypatch, tmp_path)
    text = cli.parser.dump(cli.config, skip_unset=True)
    again = cli.parser.parse_string(text)
    assert cli.parser.dump(again, skip_unset=True) == text


def run_all_verbs(cli: DiveCLI) -> None:
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer.fit(model, datamodule=data)
    assert any(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    metrics: dict[str, Any] = {**trainer.validate(model, datamodule=data, verbose=False)[0]}
    metrics |= trainer.test(model, datamodule=data, verbose=False)[0]
    assert metrics and all(torch.isfinite(torch.tensor(value)) for value in metrics.values())
    assert trainer.predict(model, datamodule=data)


@pytest.mark.parametrize("name", OFFLINE)
def test_offline_recipe_runs_one_batch_of_each_verb(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run_all_verbs(build(name, monkeypatch, tmp_path, *SMALL_BATCHES.get(name.split("/")[0], [])))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ONLINE)
def test_recipe_on_public_data_runs_one_batch_of_each_verb(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["data"]["class_path"].rsplit(".", 1)[1]
    small = [*PIECES.get(data, []), *SMALL_BATCHES.get(name.split("/")[0], [])]
    run_all_verbs(build(name, monkeypatch, tmp_path, *small))


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda p: p.relative_to(CONFIGS).as_posix())
def test_config_holds_no_path_of_one_machine(path: Path) -> None:
    assert not re.search(r"(^|[\s\"'=])/(home|root|opt|work|tmp)/", path.read_text())


@pytest.mark.parametrize("preset", sorted(p for folder in PRESETS for p in (CONFIGS / folder).glob("*.yaml")))
def test_preset_parses_with_a_recipe(preset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if preset.stem in ("gpu",) and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    if preset.stem == "slurm":  # what srun gives the only task of a job
        for name, value in {"NODEID": "0", "PROCID": "0", "LOCALID": "0", "NTASKS": "1", "JOB_ID": "1"}.items():
            monkeypatch.setenv(f"SLURM_{name}", value)
    command = resolve("fit", ["cnn/lenet", "-c", str(preset), "--trainer.devices", "1"])
    command.verb, command.recipe = "", ""
    monkeypatch.setattr(sys, "argv", ["dive", *command.args])
    monkeypatch.chdir(tmp_path)
    DiveCLI(command, run=False)


# -- what the offline recipes reach --------------------------------------------------------------------------------


def train_and_test(name: str, *extra: str) -> dict[str, float]:
    """Trains a recipe as a person would, in this process, and returns the best checkpoint's test metrics."""
    import json

    from scripts.cli import main
    from scripts.front.runs import newest_run

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    assert main(["fit", name, *extra]) == 0
    assert main(["test", name]) == 0
    return json.loads((newest_run(name) / "run.json").read_text())["metrics"]


def meets_threshold(metrics: dict[str, float], name: str) -> bool:
    threshold = find_recipe(name).threshold
    assert threshold is not None
    metric, sign, value = threshold
    return metrics[metric] >= value if sign == ">=" else metrics[metric] <= value


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFLINE)
def test_offline_recipe_meets_its_threshold(name: str) -> None:
    assert meets_threshold(train_and_test(name), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFLINE)
def test_ablation_misses_the_threshold(name: str) -> None:
    assert not meets_threshold(train_and_test(name, *find_recipe(name).header["ablation"].split()), name)
