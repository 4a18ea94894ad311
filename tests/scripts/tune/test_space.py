"""Spaces: those that ship fit their recipes; what is wrong in one is one line that names the key."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.messages import UserError
from scripts.front.build import parse
from scripts.front.recipes import CONFIGS, find_recipe
from scripts.tune.samplers import from_unit
from scripts.tune.space import find_space, read_space, spaces, words_of

GOOD: dict[str, Any] = {"metric": "val/loss", "mode": "min", "max_epochs": 9}


def written(folder: Path, parameters: Any, **facts: Any) -> Path:
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **facts, "parameters": parameters}, sort_keys=False))
    return path


@pytest.mark.parametrize("path", spaces(), ids=lambda p: p.relative_to(CONFIGS / "tune").as_posix())
def test_a_space_that_ships_fits_its_recipe(path: Path) -> None:
    name = path.relative_to(CONFIGS / "tune").with_suffix("").as_posix()
    space = read_space(path)
    assert find_recipe(name).offline
    draw = random.Random(name)
    params = from_unit(space, [draw.random() for _ in space.parameters])
    config = parse([name, *words_of(params)]).config
    for key, value in params.items():
        assert reached(config, key) == value or key == "model.optimizer" or str(reached(config, key)) == str(value)


def reached(config: Any, key: str) -> Any:
    """The value of a key of the command line in a parsed config, through the classes in between."""
    for part in key.split("."):
        inner = config.get("init_args") if hasattr(config, "get") else None
        config = inner[part] if inner is not None and part in inner else config[part]
    return config


@pytest.mark.parametrize(
    ("parameters", "facts", "says"),
    [
        ({"a": {"low": 2, "high": 1}}, {}, "a: the range from 2 to 1 is inverted"),
        ({"a": {"low": 1.0, "high": 1.0}}, {}, "is empty"),
        ({"a": {"low": 0.0, "high": 1.0, "log": True}}, {}, "a: low is 0.0, and there is no logarithm"),
        ({"a": {"low": "1e-3", "high": 1.0}}, {}, "a: low is '1e-3', not a number .YAML reads"),
        ({"a": {"low": 1, "hihg": 2}}, {}, "a: unknown key 'hihg': did you mean 'high'"),
        ({"a": {"low": 1}}, {}, "a: give {low"),
        ({"a": {"choices": []}}, {}, "a: choices is"),
        ({"a": {"choices": [1], "low": 1}}, {}, "has choices and a range"),
        ({"a": {"choices": [0.1, 0.1]}}, {}, "a: choices has a value twice"),
        ({"a": {"low": 8, "high": 64, "step": 0.5}}, {}, "a: step is 0.5: give a whole number above 0"),
        ({"a": {"low": 0.1, "high": 0.5, "step": -0.1}}, {}, "a: step is -0.1: give a number above 0"),
        ({"a": {"low": 0.1, "high": 0.5, "step": "x"}}, {}, "a: step is 'x'"),
        ({"a": {"low": 0.1, "high": 0.5, "log": "yess"}}, {}, "a: log is 'yess': give true or false"),
        ({"a": {"choices": ["SGD"]}, "b": {"low": 1, "high": 2, "when": {"a": "SDG"}}}, {}, "did you mean 'SGD'"),
        ({"a": 3}, {}, "a is 3: give"),
        ({"a": {"low": 1, "high": 2, "when": {"b": 1}}}, {}, "when names 'b', which is not a parameter above it"),
        ({}, {}, "has no parameters"),
        ({"a": {"low": 1, "high": 2}}, {"mode": "best"}, "mode is 'best': give min or max"),
        ({"a": {"low": 1, "high": 2}}, {"metric": "test/acc"}, "choose by the validation split"),
        ({"a": {"low": 1, "high": 2}}, {"metric": "train/loss"}, "choose by the validation split"),
        ({"a": {"low": 1, "high": 2}}, {"min_epochs": 10}, "min_epochs 10, max_epochs 9"),
        ({"a": {"low": 1, "high": 2}}, {"metrik": "x"}, "unknown key 'metrik': did you mean 'metric'"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, parameters: Any, facts: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        read_space(written(tmp_path, parameters, **facts))
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_yaml_and_a_recipe_without_space(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [")
    with pytest.raises(UserError, match="is not a space"):
        read_space(tmp_path / "x.yaml")
    with pytest.raises(UserError, match="no space cnn/lenett: did you mean 'cnn/lenet'"):
        find_space("cnn/vgg", "cnn/lenett")
    assert find_space("cnn/lenet", None) == find_space("mlp/mlp", "cnn/lenet")


def test_a_conditional_parameter_exists_beside_its_value_only(tmp_path: Path) -> None:
    space = read_space(
        written(tmp_path, {"a": {"choices": ["x", "y"]}, "b": {"low": 0.0, "high": 1.0, "when": {"a": "x"}}})
    )
    assert space.active("b", {"a": "x"}) and not space.active("b", {"a": "y"})


def test_options_of_classes_come_first() -> None:
    words = words_of({"model.optimizer.lr": 0.1, "model.optimizer": "torch.optim.SGD", "model.bias": True})
    assert words == ["--model.optimizer", "torch.optim.SGD", "--model.bias", "true", "--model.optimizer.lr", "0.1"]


def test_a_range_that_its_steps_do_not_fill_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_space(written(tmp_path, {"a": {"low": 0.0, "high": 1.0, "step": 0.3}, "b": {"low": 1, "high": 7}}))
    said = capsys.readouterr().err
    assert "space.yaml: a: high is 1.0, which steps of 0.3 from 0.0 do not reach: 0.9 is the last" in said
    assert said.count("note:") == 1 and found.parameters["a"].high == pytest.approx(0.9)  # type: ignore[attr-defined]
