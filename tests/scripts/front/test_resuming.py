"""``dive fit --resume``: what it refuses, and that a run's files stay as they were until training goes on."""

import json
from pathlib import Path

import pytest
import yaml

from scripts.cli import main
from scripts.front.runs import newest_run

SMALL = """
model: {class_path: tests.small.SmallNet}
data: {class_path: tests.small.Points}
trainer: {max_epochs: 1, accelerator: cpu}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "small.yaml").write_text(SMALL)
    return str(tmp_path / "small.yaml")


@pytest.fixture
def run(recipe: str) -> Path:
    assert main(["fit", recipe]) == 0
    return newest_run("own/small")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--data.rows", "50", "the data changed"),
        ("--model.optimizer", "torch.optim.Adam", "model.optimizer is Adam"),
        ("--model.dropout", "2.0", "dropout probability"),
        ("--trainer.max_epochs", "1", "is done: epoch 1 of 1"),
    ],
)
def test_a_resume_that_is_refused_changes_no_file_of_the_run(
    option: str, value: str, says: str, recipe: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(run)
    longer = ["--trainer.max_epochs", "2"] if option != "--trainer.max_epochs" else []
    code = main(["fit", recipe, "--resume", *longer, option, value])
    assert says in " ".join(capsys.readouterr().err.split())
    assert files(run) == before and code == (0 if not longer else 2)


def test_a_resume_that_fails_while_it_is_set_up_changes_no_file_of_the_run(
    recipe: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(run)

    def full(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tests.small.SmallNet.configure_optimizers", full)
    with pytest.raises(MemoryError):
        main(["fit", recipe, "--resume", "--trainer.max_epochs", "2"])
    assert files(run) == before


def test_a_resume_that_goes_on_is_recorded(recipe: str, run: Path) -> None:
    assert main(["fit", recipe, "--resume", "--trainer.max_epochs", "2", "--model.dropout", "0.4"]) == 0
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["trainer"]["max_epochs"] == 2 and config["model"]["init_args"]["dropout"] == 0.4
    assert json.loads((run / "run.json").read_text())["step"] == 8


def test_a_fit_that_is_refused_leaves_no_run(recipe: str, run: Path) -> None:
    assert main(["fit", recipe, "--data.num_classes", "2"]) == 2  # label 2 is found when the data is read
    assert newest_run("own/small") == run and [run] == list(run.parent.iterdir())


def test_a_test_that_fails_leaves_the_runs_record(recipe: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(run)
    monkeypatch.setattr("tests.small.SmallNet.test_step", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["test", recipe])
    assert files(run) == before
