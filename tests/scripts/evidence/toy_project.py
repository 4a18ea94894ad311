"""A made-up project of one recipe, ``toy/one``, for the tests of results and fingerprints."""

from pathlib import Path
from typing import Any

from scripts.evidence import results
from scripts.front.recipes import find_recipe

HEAD = """# A toy
# plan: 1
# section: D2L 0.0
# data: made up, offline
# threshold: test/acc >= 0.9
# ablation: --model.width 1
# book: 0.88 (figure 1)
"""
CONFIG = "model: {class_path: lit_models.toy.net.LitNet}\ndata: {class_path: datamodules.toy.Data}\n"
FILES = {
    "README.md": "One: <!--toy/one test/acc-->x<!---->, two: <!--toy/two test/acc-->0.5<!---->.\n",
    "configs/default.yaml": "seed_everything: 0\n",
    "configs/toy/one.yaml": HEAD + CONFIG,
    "lit_models/toy/net.py": '"""A net."""\n\nfrom lit_models.layers import block\nWIDTH = 3\n',
    "lit_models/layers/block.py": "from datamodules.base import x\n\n\ndef f():\n    from lit_models.deep import d\n",
    "lit_models/deep.py": "A = 1\n",
    "lit_models/unused.py": "B = 1\n",
    "datamodules/toy.py": "SIZE = 5\n",
    "datamodules/base.py": "x = 1\n",
    "callbacks/noise.py": "y = 1\n",
}


def write_project(root: Path) -> Path:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def add_recipe(project: Path, name: str, head: str = HEAD) -> None:
    (project / "configs/toy" / f"{name}.yaml").write_text(head + CONFIG)


STEPS = {"losses": "2.3 2.2"}  # the digest of every recipe, until a test changes it
SIMPLE = {
    "chance": {"what": "the shares", "metrics": {"test/acc": 0.25}},
    "baseline": {"what": "logistic regression", "metrics": {"test/acc": 0.75}},
}


def record(acc: float, seconds: float = 10.0) -> dict[str, Any]:
    return {
        "commit": "abc",
        "versions": {"torch": "9"},
        "device": "cpu, 1 threads",
        "seconds": 3 * seconds,
        "cpu_seconds": seconds,
        "samples_per_second": 1000.0,
        "epochs": 10,
        "parameters": 7,
        "metrics": {"test/loss": 0.1, "test/acc": acc, "val/acc": 1.0},
    }


def stored_row(name: str) -> dict[str, Any]:
    result = results.load(find_recipe(name))
    assert result is not None
    return result
