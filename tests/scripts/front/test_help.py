"""`dive fit RECIPE --help` and `--print_config`: the recipe's own options with their present values."""

from pathlib import Path

import pytest
import yaml

from scripts.cli import main
from scripts.front.recipes import CONFIGS, PRESETS


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(list(words)) == 0
    return capsys.readouterr().out


def line_of(page: str, option: str) -> str:
    (line,) = [line for line in page.splitlines() if line.startswith(f"  {option} ")]
    return line


def test_a_recipes_help_shows_its_options_with_values_and_docs(capsys: pytest.CaptureFixture[str]) -> None:
    page = said(capsys, "fit", "cnn/lenet", "--help", "--trainer.max_epochs", "7", "--resume")
    assert line_of(page, "--model.pooling").split()[1:3] == ["max", "How"]  # from the network's docstring
    assert line_of(page, "--model.optimizer.lr").split()[1] == "0.003"
    assert line_of(page, "--data.shift").split()[1:4] == ["2", "Training", "images"]
    assert line_of(page, "--trainer.max_epochs").split()[1] == "7"
    assert "--model.num_classes" not in page and "--data.num_classes 10" in page
    for option in ("--resume", "--run DIR", "-c PRESET", "--print_config", "gradient_clip_val"):
        assert option in page
    assert len(page.splitlines()) < 100 and max(map(len, page.splitlines())) <= 120


@pytest.mark.parametrize("words", [["fit", "--help"], ["test", "-h"]])
def test_help_without_a_recipe_names_the_presets(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    page = said(capsys, *words)
    for preset in (path for folder in PRESETS for path in (CONFIGS / folder).glob("*.yaml")):
        assert f"{preset.parent.name}/{preset.stem} " in page
    assert ("  --resume" in page) == (words[0] == "fit")


def test_a_mistake_beside_help_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "cnn/lenett", "--help"]) == 2
    assert "did you mean 'cnn/lenet'?" in capsys.readouterr().err


def test_print_config_shows_what_the_options_make_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "fit", "cnn/lenet", "--print_config", "--data.image_size", "32", "-c", "trainer/bf16")
    config = yaml.safe_load(text)
    assert config["data"]["init_args"]["image_size"] == 32 and config["trainer"]["precision"] == "bf16-mixed"


def test_a_recipe_may_be_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (CONFIGS / "cnn/lenet.yaml").read_text()
    (tmp_path / "mine.yaml").write_text("# Mine\n" + text[text.index("model:") :])
    page = said(capsys, "fit", str(tmp_path / "mine.yaml"), "--help")
    assert page.startswith("dive fit own/mine: Mine") and "--model.activation relu" in page
