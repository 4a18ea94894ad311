"""From outside: installed, the command runs in a folder that is not the project's, whatever that folder holds."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICK = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"]
MINE = """
model: {class_path: my_model.Mine}
data: {class_path: datamodules.vision.mnist.MNIST5k}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose modules come from the wheel alone; returns its variables."""
    target = tmp_path_factory.mktemp("wheel")
    install(target)
    return os.environ | {"PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}


def dive(env: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(env["PYTHONPATH"]) / "bin/dive"), *words]
    env = {key: value for key, value in env.items() if key != "DIVE_RUNS"}
    return subprocess.run([sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_shipped_recipe_runs_in_a_foreign_folder(installed: dict[str, str], tmp_path: Path) -> None:
    where = "import scripts.front.recipes as r, sys; sys.exit(str(r.CONFIGS))"
    found = subprocess.run([sys.executable, "-c", where], cwd=tmp_path, env=installed, capture_output=True, text=True)
    assert found.stderr.strip() == str(Path(installed["PYTHONPATH"]) / "configs")
    assert "cnn/lenet" in dive(installed, tmp_path, "list").stdout
    done = dive(installed, tmp_path, "fit", "cnn/lenet", *QUICK)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs/cnn/lenet").iterdir())) == 1


@pytest.mark.slow
def test_a_config_names_a_module_of_the_foreign_folder(installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text("from lit_models.cnn.lenet import LitLeNet\n\nclass Mine(LitLeNet): pass\n")
    (tmp_path / "mine.yaml").write_text(MINE)
    done = dive(installed, tmp_path, "fit", "--config", "mine.yaml", *QUICK)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs/own/mine").iterdir())) == 1


def install(target: Path, *options: str) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), *options, str(ROOT)]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)


OWN_CALLBACK = """
from lightning.pytorch import Callback

class Mine(Callback):
    def on_fit_start(self, trainer, model):
        print("my own callback")
"""
OWN_NAMES = """
model: {class_path: lit_models.cnn.lenet.LitLeNet}
data: {class_path: datamodules.vision.mnist.MNIST5k}
trainer: {callbacks+: [{class_path: callbacks.mine.Mine}]}
"""
#: Only the modules of this installation and the libraries: no other installation's .pth files.
START = (
    "import sys, site; site.addsitedir({target!r}); sys.path.append({libraries!r}); "
    "from scripts.cli import main; sys.exit(main())"
)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--editable",)], ids=["wheel", "editable"])
def test_folders_of_the_same_names_break_and_replace_nothing(options: tuple[str, ...], tmp_path: Path) -> None:
    target, folder = tmp_path / "target", tmp_path / "mine"
    install(target, *options)
    for name in ("callbacks", "scripts", "configs", "common", "lit_models", "datamodules", "tests"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
    (folder / "callbacks/mine.py").write_text(OWN_CALLBACK)
    (folder / "mine.yaml").write_text(OWN_NAMES)
    code = START.format(libraries=sysconfig.get_paths()["purelib"], target=str(target))
    env = {key: value for key, value in os.environ.items() if key not in ("DIVE_RUNS", "PYTHONPATH")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-c", code, *words]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)

    done = run("fit", "mine.yaml", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "my own callback" in done.stdout
    made = run("new", "moons")
    assert "dive fit moons.yaml" in made.stdout and (folder / "moons/moons/model.py").is_file(), made.stderr
    if not options:
        assert "needs a checkout" in run("verify").stderr
