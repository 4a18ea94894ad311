"""Schedules by their bare names, from YAML and from the command line, written down and read again."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from common.messages import UserError
from scripts.cli import main
from scripts.front.build import parse
from scripts.front.runs import newest_run

OURS = "lit_models.tasks.schedules"
TORCH = "torch.optim.lr_scheduler"
SCHEDULES = [
    ("Cosine", {}, OURS),
    ("WarmupCosine", {"warmup": 0.1}, OURS),
    ("Noam", {"hidden_size": 64, "warmup_steps": 400}, OURS),
    ("Sequential", {"schedules": [{"class_path": "Cosine"}, {"class_path": "ConstantLR"}], "milestones": [3]}, OURS),
    ("ReduceLROnPlateau", {"patience": 3}, TORCH),
    ("StepLR", {"step_size": 3}, TORCH),
    ("ExponentialLR", {"gamma": 0.9}, TORCH),
]


def schedule(*words: str) -> Any:
    return parse(["cnn/lenet", *words]).config.model.init_args.lr_scheduler


def words_of(name: str, given: dict[str, Any]) -> list[str]:
    words = ["--model.lr_scheduler", name]
    for key, value in given.items():
        words += [f"--model.lr_scheduler.{key}", yaml.safe_dump(value, default_flow_style=True).split("\n")[0]]
    return words


@pytest.mark.parametrize(("name", "given", "module"), SCHEDULES, ids=[name for name, *_ in SCHEDULES])
def test_a_schedule_has_its_bare_name(name: str, given: dict[str, Any], module: str, tmp_path: Path) -> None:
    typed = schedule(*words_of(name, given))
    assert typed.class_path == f"{module}.{name}"
    own, dumped = tmp_path / "own.yaml", tmp_path / "dumped.yaml"
    own.write_text(yaml.safe_dump({"model": {"init_args": {"lr_scheduler": {"class_path": name, "init_args": given}}}}))
    cli = parse(["cnn/lenet", "-c", str(own)])
    written = cli.config.model.init_args.lr_scheduler
    assert written.class_path == typed.class_path and written.init_args == typed.init_args
    dumped.write_text(cli.parser.dump(cli.config, skip_unset=True))
    assert parse(["--config", str(dumped)]).config.model.init_args.lr_scheduler == written


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model.lr_scheduler", "StepLRR"], "model.lr_scheduler: no class 'StepLRR': did you mean 'StepLR'?"),
        (["--model.lr_scheduler", "Noam"], "Noam needs hidden_size and warmup_steps: give --model.lr_scheduler.hid"),
        (["--model.optimizer", "Adamm"], "model.optimizer: no class 'Adamm': did you mean 'Adam'?"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(words: list[str], says: str) -> None:
    with pytest.raises(UserError) as error:
        schedule(*words)
    assert says in str(error.value)


def test_a_run_with_a_plateau_schedule_trains_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(
        "model: {class_path: tests.small.SmallNet}\ndata: {class_path: tests.small.Points}\n"
        "trainer: {max_epochs: 1, accelerator: cpu}\n"
    )
    words = [str(tmp_path / "small.yaml"), "--model.lr_scheduler", "ReduceLROnPlateau"]
    assert main(["fit", *words]) == 0
    assert main(["fit", words[0], "--resume", "--trainer.max_epochs", "2"]) == 0
    config = yaml.safe_load((newest_run("own/small") / "config.yaml").read_text())
    assert config["model"]["init_args"]["lr_scheduler"]["class_path"] == f"{TORCH}.ReduceLROnPlateau"
