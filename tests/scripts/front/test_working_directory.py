"""A folder of one's own with the name of a package of ours neither replaces it nor hides its own modules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.front.recipes import CONFIGS
from scripts.front.working_directory import PACKAGES

ROOT = CONFIGS.parent
#: Ours is on the path while `dive` starts; an editable install finds it after everything on the path.
LOOK = """
import sys
from importlib.util import find_spec
folder, root, *names = sys.argv[1:]
sys.path.insert(0, root)
from scripts.front.working_directory import add_working_directory
sys.path.remove(root)
sys.path.insert(0, folder)
add_working_directory()
print(*(find_spec(name).origin for name in names))
"""


def origins(folder: Path, *modules: str) -> list[Path]:
    """Where a process in ``folder``, whose path begins there, finds modules."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", LOOK, str(folder), str(ROOT), *modules]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [Path(word) for word in done.stdout.split()]


@pytest.mark.parametrize("init", [True, False], ids=["packages", "plain folders"])
def test_ours_stay_and_theirs_are_found(init: bool, tmp_path: Path) -> None:
    for name in (*PACKAGES, "configs", "tests", "lit_models/cnn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text("")
        if init:
            (tmp_path / name / "__init__.py").write_text("raise RuntimeError('ours is wanted')\n" * ("/" not in name))
    for taken in ("callbacks/epoch_lines.py", "lit_models/cnn/lenet.py", "scripts/cli.py"):
        (tmp_path / taken).write_text("")
    found = origins(tmp_path, "callbacks.epoch_lines", "lit_models.cnn.lenet", "scripts.cli", "datamodules.base")
    assert all(path.is_relative_to(ROOT) for path in found)
    found = origins(tmp_path, *(f"{name}.mine" for name in (*PACKAGES, "lit_models.cnn")))
    assert all(path.is_relative_to(tmp_path) for path in found)
    if not init:
        assert origins(tmp_path, "tests.mine", "configs.mine")[0].is_relative_to(tmp_path)


def test_a_folder_without_such_names_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "own_model.py").write_text("")
    assert origins(tmp_path, "own_model")[0].parent == tmp_path
