"""What makes a stored number stale, and what does not."""

from pathlib import Path

import pytest

from scripts.evidence import results
from scripts.evidence.fingerprint import bare_code, fingerprint
from scripts.front import recipes
from scripts.front.recipes import find_recipe
from tests.scripts.evidence.toy_project import edit, write_project

CALLBACKS = {
    "configs/regularizer/noise.yaml": "trainer: {callbacks: [{class_path: callbacks.noise.N, init_args: {std: 1}}]}\n",
    "callbacks/noise.py": "from callbacks.pictures import drawn\nfrom common import messages, pictures\ny = 1\n",
    "common/messages.py": "a = 1\n",
    "common/pictures.py": "b = 1\n",
    "callbacks/other.py": "z = 1\n",
    "callbacks/pictures/drawn.py": "w = 1\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = write_project(tmp_path / "project")
    edit(root / "configs/toy/one.yaml", "--model.width 1", "--model.width 1 --config regularizer/noise")
    for name, text in CALLBACKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(recipes, "CONFIGS", root / "configs")
    return root


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("configs/toy/one.yaml", "data: {", "trainer: {max_epochs: 2}\ndata: {"),
        ("configs/toy/one.yaml", "--model.width 1", "--model.width 2"),
        ("configs/default.yaml", "0", "1"),
        ("lit_models/toy/net.py", "3", "4"),
        ("lit_models/layers/block.py", "def f()", "def g()"),  # from package import module
        ("lit_models/deep.py", "1", "2"),  # imported by what the model imports, inside a function
        ("datamodules/toy.py", "5", "6"),
        ("datamodules/base.py", "1", "2"),
        ("common/pictures.py", "1", "2"),
        ("callbacks/noise.py", "y = 1", "y = 2"),  # named by the ablation's preset
        ("configs/regularizer/noise.yaml", "std: 1", "std: 2"),
    ],
)
def test_what_decides_the_number_makes_it_stale(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(find_recipe("toy/one"), project)
    edit(project / file, old, new)
    assert fingerprint(find_recipe("toy/one"), project) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("configs/toy/one.yaml", "0.9", "0.8"),  # the threshold is read against the result, it does not decide it
        ("configs/toy/one.yaml", "# A toy", "# Another toy"),
        ("lit_models/toy/net.py", "A net.", "A net, explained better."),
        ("lit_models/toy/net.py", "WIDTH = 3", "WIDTH = 3  # as in the paper"),
        ("lit_models/unused.py", "1", "2"),
        ("callbacks/other.py", "1", "2"),
        ("callbacks/pictures/drawn.py", "1", "2"),  # it draws
        ("common/messages.py", "1", "2"),  # it says
    ],
)
def test_what_does_not_decide_the_number_leaves_it_fresh(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(find_recipe("toy/one"), project)
    edit(project / file, old, new)
    assert fingerprint(find_recipe("toy/one"), project) == before


def test_bare_code_keeps_strings_that_are_no_docstrings_and_hashes_inside_strings() -> None:
    source = (
        '"""Doc."""\n\nclass A:\n    """Doc\n    of two lines."""\n\n    x = "#1"  # a comment\n    """not first"""\n'
    )
    assert bare_code(source) == 'class A:\n    x = "#1"\n    """not first"""'


def test_every_recipe_of_the_project_has_a_fingerprint_of_its_own() -> None:
    every = recipes.all_recipes()
    assert len({fingerprint(r, results.ROOT) for r in every}) == len(every)
