"""The command: what it answers without torch, what a mistake prints, and where a run lives."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from callbacks.metrics_csv import read_metrics
from scripts import cli
from scripts.cli import main
from scripts.front.runs import newest_run

LENET = "cnn/lenet"
L1, MIXUP = ["-c", "regularizer/l1"], ["-c", "regularizer/mixup"]
QUICK = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "1"]


def one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a mistaken command in this process and returns the one line it says."""
    capsys.readouterr()
    code = main(argv)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("dive: ")]
    assert code == 2
    assert len(lines) == 1
    return lines[0].removeprefix("dive: ")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["fti", LENET], "no command 'fti': did you mean 'fit'?"),
        (["list", "cnnn"], "no topic 'cnnn': did you mean 'cnn'?"),
        (["fit", "cnn/lenett"], "no recipe 'cnn/lenett': did you mean 'cnn/lenet'?"),
        (["fit"], "which recipe?"),
        (["fit", LENET, "mlp/mlp"], "one recipe at a time"),
        (["fit", LENET, "--trainer.max_epoch", "1"], "trainer.max_epoch: did you mean 'trainer.max_epochs'?"),
        (["fit", LENET, "--modell.x", "1"], "unknown option --modell.x: did you mean 'model.x'?"),
        (["fit", LENET, "--model.poling", "max"], "model.poling: did you mean 'model.pooling'?"),
        (["fit", LENET, "--model.optimizer.lrr", "1"], "did you mean 'model.optimizer.lr'?"),
        (
            ["fit", LENET, *L1, "--model.regularizers.l11", "1"],
            "has no argument l11: did you mean 'l1'?",
        ),
        (
            ["fit", LENET, *L1, *MIXUP, "--model.regularizers.l1", "1"],
            "Mixup, the last regularizer, has no argument l1: it has alpha; name the preset of l1 last",
        ),
        (
            ["fit", LENET, "--model.regularizers.l1", "1"],
            "--model.regularizers.l1 is of no regularizer: name one before",
        ),
        (["fit", "linear/linear_regression", *L1], "and the model is none"),
        (["fit", LENET, "--trainer.max_epochs", "three"], "trainer.max_epochs must be int, not 'three'"),
        (["fit", LENET, "--trainer.max_epochs"], "trainer.max_epochs: expected one argument"),
        (["fit", LENET, "--model.pooling", "median"], "model.pooling must be 'avg', 'max', not 'median'"),
        (["fit", LENET, "--data.batch_size", "many"], "data.batch_size must be int, not 'many'"),
        (["fit", LENET, "--data.batch_size", "0"], "data.batch_size is 0: give a whole number of at least 1"),
        (["fit", LENET, "--data.image_size", "8"], "image_size is 8: LeNet needs at least 12 pixels"),
        (["fit", LENET, "--model.num_classes", "5"], "num_classes comes from the data: give --data.num_classes"),
        (["fit", "linear/linear_regression", "--data.num_val", "0"], "the val split of SyntheticRegression is empty"),
        (["fit", "mlp/mlp", "--data", "SyntheticRegression"], "the targets are real numbers, not classes"),
        (["fit", LENET, "--data.num_classes", "5"], "label 9 in the train split, but data.num_classes is 5"),
        (["fit", LENET, "--data", "MNIST5"], "no class 'MNIST5' in datamodules: did you mean 'MNIST5k'?"),
        (["fit", LENET, "--model", "LitLeNett"], "did you mean 'LitLeNet'?"),
        (["fit", LENET, "--model.optimizer", "torch.optim.SDG"], "no class 'SDG' in torch.optim: did you mean 'SGD'?"),
        (["fit", LENET, "--trainer.accelerator", "cpuu"], "accelerator='cpuu'"),
        (["fit", LENET, "--trainer.devices", "-3"], "should be an int > 0"),
        (["fit", LENET, "-c", "trainer/ddpp"], "no config 'trainer/ddpp': did you mean 'trainer/ddp'?"),
        (["fit", LENET, "-c", "nowhere.yaml"], "no config 'nowhere.yaml'"),
        (["fit", LENET, "--resume"], f"no run of {LENET}"),
        (["test", LENET], f"no run of {LENET}"),
        (["test", LENET, "--ckpt_path", "nowhere.ckpt"], "no checkpoint nowhere.ckpt"),
        (["fit", LENET, "--data", "ImageFolder", "--data.root", "nowhere"], "nowhere"),
    ],
)
def test_mistake_in_the_command_is_one_line(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in one_line(argv, capsys)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modle: {}\n", "own.yaml: unknown key 'modle': did you mean 'model'?"),
        ("trainer: [1]\n", "own.yaml: trainer is a mapping of settings"),
        ("trainer: {max_epochs: [1\n", "own.yaml:2: not YAML"),
        ("- 1\n", "own.yaml: a config is a mapping"),
        ("trainer: {max_epoch: 3}\n", "did you mean 'trainer.max_epochs'?"),
        ("trainer: {max_epochs: three}\n", "trainer.max_epochs must be int, not 'three'"),
        ("model: {init_args: {poling: max}}\n", "model.poling: did you mean 'model.pooling'?"),
        ("model: {init_args: {num_classes: 3}}\n", "own.yaml: model.num_classes would be overwritten"),
        ("model: {class_path: lit_models.cnn.lenett.LitLeNet}\n", "no class 'lenett' in lit_models.cnn"),
        ("trainer: {callbacks+: [{class_path: callbacks.pictures.curves.Curvs}]}\n", "did you mean 'Curves'?"),
        (
            "model: {init_args: {optimizer: {class_path: torch.optim.Adam, init_args: {lr: fast}}}}\n",
            "model.optimizer.lr must be float, not 'fast'",
        ),
    ],
)
def test_mistake_in_a_config_is_one_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    assert says in one_line(["fit", LENET, "-c", str(tmp_path / "own.yaml")], capsys)


def test_a_class_of_ones_own_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is named with its file: mine.MyCSV" in one_line(["fit", LENET, "--data", "MyCSV"], capsys)
    (tmp_path / "tables.py").write_text("class MyCSV(Base):\n    pass\n")
    assert "say 'tables.MyCSV' for your own" in one_line(["fit", LENET, "--data", "MyCSV"], capsys)


@pytest.mark.parametrize(("inside_a_job", "warns"), [(False, False), (True, True)])
def test_an_unused_srun_is_a_matter_of_jobs_alone(
    inside_a_job: bool, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    from scripts.front import lightning_cli
    from scripts.front.arguments import Command

    said = "The `srun` command is available on your system but is not used. HINT: ..."
    monkeypatch.setattr(lightning_cli, "DiveCLI", lambda command: warnings.warn(said, stacklevel=1))
    if inside_a_job:
        monkeypatch.setenv("SLURM_JOB_ID", "1")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        lightning_cli.launch(Command("fit", "a/test"))
    assert bool(heard) is warns


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of three training steps."""
    root = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(root))
        assert main(["fit", LENET, *QUICK]) == 0
        return newest_run(LENET)


def test_one_run_has_one_folder_with_everything_in_it(trained: Path) -> None:
    for name in ("config.yaml", "metrics.csv", "curves.png", "processor.json", "run.json"):
        assert (trained / name).stat().st_size > 0
    assert sorted(p.name for p in (trained / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    record = json.loads((trained / "run.json").read_text())
    assert record["recipe"] == LENET and record["status"] == "finished" and record["step"] == 3
    assert record["parameters"] == 61_706 and record["samples_per_second"] > 0 and "val/acc" in record["metrics"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda whole: b"", "is empty"),
        (lambda whole: whole[: len(whole) // 2], "is damaged"),
        (lambda whole: b"hello", "is damaged"),
    ],
)
def test_damaged_checkpoint_is_one_line(
    damage: object, says: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.ckpt"
    path.write_bytes(damage((trained / "checkpoints/best.ckpt").read_bytes()))  # type: ignore[operator]
    assert says in one_line(["test", LENET, "--ckpt_path", str(path)], capsys)


def test_foreign_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "foreign.ckpt")
    assert "was not written by Lightning" in one_line(
        ["test", LENET, "--ckpt_path", str(tmp_path / "foreign.ckpt")], capsys
    )


def test_checkpoint_of_another_model_is_one_line(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = str(trained / "checkpoints/best.ckpt")
    says = one_line(["test", "mlp/mlp", "--ckpt_path", checkpoint], capsys)
    assert "is of lit_models.cnn.lenet.LitLeNet" in says


def test_checkpoint_of_other_sizes_is_one_line(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["test", LENET, "--ckpt_path", str(trained / "checkpoints/best.ckpt"), "--data.image_size", "32"]
    assert "does not fit the model" in one_line(argv, capsys)


def test_commands_without_lightning_never_import_torch() -> None:
    calls = "main([]); main(['list']); main(['fti'])"
    code = f"import sys; from scripts.cli import main; {calls}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_runs_of_one_second_do_not_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.front import runs

    monkeypatch.setattr(runs.time, "strftime", lambda pattern: "2026-01-01_00-00-00")
    folders = [runs.new_run(LENET) for _ in range(3)]
    assert len(set(folders)) == 3 and sorted(folders) == folders


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """This test's own copy of the trained run, which is the newest run of the recipe."""
    own = tmp_path / "runs" / LENET / trained.name
    shutil.copytree(trained, own)
    return own


def test_resume_goes_on_in_the_same_folder(run: Path) -> None:
    assert main(["fit", LENET, "--resume", "--trainer.max_epochs", "2"]) == 0
    assert newest_run(LENET) == run
    assert json.loads((run / "run.json").read_text())["step"] == 6
    assert [row["step"] for row in read_metrics(run / "metrics.csv")] == [2, 5]


def test_test_uses_the_newest_runs_best_checkpoint(run: Path) -> None:
    assert main(["test", LENET, "--trainer.limit_test_batches", "1"]) == 0
    assert "test/acc" in json.loads((run / "run.json").read_text())["metrics"]
    assert (run / "confusion.png").is_file()


def test_predict_writes_one_row_for_each_sample(run: Path) -> None:
    assert main(["predict", LENET]) == 0
    lines = (run / "predictions.csv").read_text().splitlines()
    assert lines[0] == "name,label," + ",".join(f"p({digit})" for digit in range(10))
    assert len(lines) == 1 + 1000


def test_the_plain_lightning_form_is_the_same_path(run: Path) -> None:
    config = Path(__file__).parents[2] / "configs/cnn/lenet.yaml"
    checkpoint = str(run / "checkpoints/best.ckpt")
    argv = ["test", "--config", str(config), "--ckpt_path", checkpoint, "--trainer.limit_test_batches", "1"]
    assert main(argv) == 0


def test_a_runs_config_runs_again(run: Path) -> None:
    assert main(["fit", "--config", str(run / "config.yaml")]) == 0
    second = newest_run(LENET)
    assert second != run
    assert (second / "config.yaml").read_text() == (run / "config.yaml").read_text()


def test_a_config_of_ones_own_folder_names_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_dive_model.py").write_text(
        "from lit_models.cnn.lenet import LitLeNet\nclass Mine(LitLeNet): pass\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "model: {class_path: my_dive_model.Mine}\ndata: {class_path: datamodules.vision.mnist.MNIST5k}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    assert main(["fit", "--config", "mine.yaml", *QUICK]) == 0
    assert newest_run("own/mine").is_dir()


def test_there_is_a_sign_of_life_before_torch_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.sign_of_life(["fit", "cnn/lenet"])  # torch is there
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(cli, "sys", SimpleNamespace(modules={}))
    cli.sign_of_life(["fit", "cnn/lenet", "--data.root", "x"])
    assert capsys.readouterr().err == "note: dive fit cnn/lenet: loading PyTorch and Lightning ...\n"
    cli.sign_of_life(["describe", "--help"])
    assert capsys.readouterr().err == ""


def test_a_file_for_predictions_that_is_there_already_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "answers.csv").write_text("mine")
    assert cli.main(["predict", "cnn/lenet", "--out", str(tmp_path / "answers.csv")]) == 2
    assert "answers.csv is there already: give another name" in capsys.readouterr().err
