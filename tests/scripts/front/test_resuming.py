"""``dive fit --resume``: what it refuses, and that a run's files stay as they were until training goes on."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from scripts.cli import main
from scripts.front.runs import newest_run
from tests.small import Points

SMALL = """
model: {class_path: tests.small.SmallNet}
data: {class_path: tests.small.Points}
trainer: {max_epochs: 1, accelerator: cpu}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "small.yaml").write_text(SMALL)
    return str(tmp_path / "small.yaml")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of one run of the recipe."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.yaml").write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(folder / "runs"))
        patch.delenv("DIVE_RUN_DIR", raising=False)
        assert main(["fit", str(folder / "small.yaml")]) == 0
    return folder / "runs"


@pytest.fixture
def run(trained: Path, own_runs_folder: None) -> Path:
    """A copy of it, which a test may spoil."""
    shutil.copytree(trained, os.environ["DIVE_RUNS"], symlinks=True)
    return newest_run("own/small")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--data.rows", "40", "the data changed"),
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


@pytest.mark.parametrize("fewer", ["0", "1"])
def test_fewer_epochs_than_the_run_has_trained_are_refused_in_one_line(
    recipe: str, fewer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", recipe, "--trainer.max_epochs", "2"]) == 0
    before = files(newest_run("own/small"))
    capsys.readouterr()
    assert main(["fit", recipe, "--resume", "--trainer.max_epochs", fewer]) == 2
    said = capsys.readouterr().err
    says = f"last.ckpt is of epoch 2, and trainer.max_epochs is {fewer}: give --trainer.max_epochs 3 or more"
    assert f"{says} to continue" in said and "current_epoch" not in said
    assert files(newest_run("own/small")) == before


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


class Growing(Points):
    """Points whose first rows stay the same when there are more of them."""

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        y = torch.arange(self.rows) % 3
        x = torch.stack([y.float(), 1.0 - y], dim=1)
        return {"train": (x, y), "val": (x[:10], y[:10]), "test": (x[:11], y[:11])}


def test_more_training_rows_are_said_and_used(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", "tests.scripts.front.test_resuming.Growing"]
    assert main(["fit", recipe, *data]) == 0
    capsys.readouterr()
    assert main(["fit", recipe, "--resume", "--trainer.max_epochs", "2", "--data.rows", "60"]) == 0
    assert "12 rows more than the 48 of then" in capsys.readouterr().err
    assert json.loads((newest_run("own/small") / "run.json").read_text())["step"] == 4 + 5


QUICK = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.max_epochs"]
WORDS = ["the", "cat", "sat", "on", "a", "red", "mat", "and", "the", "dog", "looked", "pleased", "who", "was", "it"]


def text(words: list[str]) -> str:
    return "".join(" ".join(words[(3 * i + 5 * j) % len(words)] for j in range(8)) + "\n" for i in range(300))


def rows(names: list[str]) -> str:
    return "text,label\n" + "".join(f"{WORDS[i % 7]} {WORDS[i % 5]} film,{names[i % 2]}\n" for i in range(60))


def table(last: float) -> str:
    return "a,b,y\n" + "".join(f"{i},{i * i % 7},{last if i == 40 else i / 3}\n" for i in range(60))


@pytest.mark.parametrize(
    ("fit", "before", "after", "says"),
    [
        pytest.param(
            ["rnn/gru", "--data", "TextFile", "--data.path"],
            text(WORDS),
            text([{"looked": "zzzzzz", "pleased": "wwwwwww"}.get(word, word) for word in WORDS]),
            "the train split of TextFile has as many rows",
            marks=pytest.mark.slow,  # as the table's, whose lines are the same code
        ),
        (
            ["text/text_cnn", "--data", "TextTable", "--data.path"],
            rows(["negative", "positive"]),
            rows(["negative", "good"]),
            "class 'good' did not occur when",
        ),
        (
            ["mlp/mlp_regression", "--data", "CSVTable", "--data.target", "y", "--data.path"],
            table(3.0),
            table(17.0),
            "of CSVTable has as many rows",
        ),
    ],
    ids=["text", "labels", "table"],
)
def test_a_resume_on_data_that_changed_is_refused(
    fit: list[str], before: str, after: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "data.csv"
    file.write_text(before)
    assert main(["fit", *fit, str(file), *QUICK, "1"]) == 0
    run = newest_run(fit[0])
    kept = files(run)
    file.write_text(after)
    assert main(["fit", fit[0], "--resume", "--trainer.max_epochs", "2"]) == 2
    assert says in " ".join(capsys.readouterr().err.split()) and files(run) == kept
    file.write_text(before)
    assert main(["fit", fit[0], "--resume", "--trainer.max_epochs", "2"]) == 0
    assert files(run)["processor.json"] == kept["processor.json"]
