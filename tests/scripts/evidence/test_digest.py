"""A digest sees what a change does to the first steps, and nothing else: on a small recipe, really trained."""

from pathlib import Path

import pytest
import yaml

from common.messages import UserError
from scripts.cli import main
from scripts.evidence import fingerprint, results
from scripts.evidence.digest import COLUMNS, difference, digest, same_word, text_difference
from scripts.front import recipes
from scripts.front.recipes import CONFIGS, find_recipe
from tests.scripts.evidence.toy_project import edit

HEAD = "# A toy\n# plan: 1\n# section: D2L 0.0\n# data: made up, offline\n"
CONFIG = """
trainer:
  max_epochs: 3
  gradient_clip_val: 1.0
model:
  class_path: toy.LitToy
  init_args:
    optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1, momentum: 0.9}}
    lr_scheduler: {class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 1}}
data:
  class_path: toy.Points
  init_args: {batch_size: 8}
"""
CODE = """
import torch
from torch import nn
from datamodules.base import TensorDataModule
from lit_models.tasks.regressor import Regressor


class LitToy(Regressor):
    def __init__(self, scale: float = 1.0, **task):
        super().__init__(**task)
        layer = nn.Linear(3, 1)
        nn.init.normal_(layer.weight, std=scale)
        self.net = layer


class Points(TensorDataModule):
    def load(self, stage):
        generator = torch.Generator().manual_seed(7)
        x = torch.randn(64, 3, generator=generator)
        y = x.sum(1, keepdim=True)
        return {"train": (x[:40], y[:40]), "val": (x[40:52], y[40:52]), "test": (x[52:], y[52:])}

    def augment(self, batch):
        x, y = batch
        return x + 0.1 * torch.randn_like(x), y
"""


TAKEN: dict[str, str] = {}  # the digest of the code as it stands above, for all tests


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the recipe ``toy/one``, with a row that was measured with the code as it stands above."""
    project = tmp_path / "project"
    (project / "configs/toy").mkdir(parents=True)
    (project / "configs/toy/one.yaml").write_text(HEAD + CONFIG)
    (project / "toy.py").write_text(CODE)
    (project / "README.md").touch()
    monkeypatch.syspath_prepend(project)
    monkeypatch.setattr(recipes, "CONFIGS", project / "configs")
    monkeypatch.setattr(fingerprint, "PACKAGES", ("toy",))
    monkeypatch.setattr(results, "ROOT", project)
    monkeypatch.setattr(results, "RESULTS", project / "results")
    monkeypatch.setattr(results, "PAGE", project / "RESULTS.md")
    recipe = find_recipe("toy/one")
    TAKEN.update(TAKEN or digest(recipe, []))
    run = {"seed": 0, "epochs": 3, "parameters": 4, "seconds": 1.0, "metrics": {"test/rmse": 0.5}}
    row = {"extra": [], "commit": "abc", "device": "cpu, 1 threads", "versions": {}, "runs": [run], "digest": TAKEN}
    results.store(recipe, row | {"fingerprint": fingerprint.fingerprint(recipe, project)})
    return project


def refreshed(project: Path, old: str, new: str) -> tuple[str, str]:
    """The row's status and what differs, after a change of the code or the config and a refresh."""
    for path in (project / "toy.py", project / "configs/toy/one.yaml"):
        path.write_text(path.read_text().replace(old, new))
    recipe = find_recipe("toy/one")
    assert results.status(recipe) == "unchecked"
    assert main(["results", "--refresh"]) == 0
    result = results.load(recipe)
    assert result is not None
    return results.status(recipe), result["differs"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("layer", "linear"),  # a variable
        pytest.param("Points", "MadeUpPoints", marks=pytest.mark.slow),
        pytest.param("torch.optim.SGD", "torch.optim.sgd.SGD", marks=pytest.mark.slow),
        pytest.param("return x + 0.1 *", "return 0 + x + 0.1 *", marks=pytest.mark.slow),
    ],
)
def test_other_words_for_the_same_steps_keep_a_row(toy: Path, old: str, new: str) -> None:
    before = results.load(find_recipe("toy/one"))
    assert refreshed(toy, old, new) == ("fresh", "")
    after = results.load(find_recipe("toy/one"))
    assert before is not None and after is not None
    assert {k for k, v in after.items() if v != before[k]} == {"fingerprint"}


CHANGES = {
    "learning rate": ("lr: 0.1,", "lr: 0.1001,", "optimizer"),
}
MORE_CHANGES = {
    "initialization": ("std=scale", "std=1.001 * scale", "start"),
    "augmentation": ("0.1 * torch.randn_like(x)", "0.101 * torch.randn_like(x)", "losses"),
    "order of the data": ('"train": (x[:40], y[:40])', '"train": (x[:40].flip(0), y[:40].flip(0))', "losses"),
    "weight decay": ("momentum: 0.9", "momentum: 0.9, weight_decay: 0.0001", "optimizer"),
    "schedule": ("step_size: 1", "step_size: 2", "rates"),
    "length": ("max_epochs: 3", "max_epochs: 4", "settings"),
    "clipping": ("gradient_clip_val: 1.0", "gradient_clip_val: 2.0", "settings"),
    "another initialization": ("init.normal_(layer.weight, std=scale)", "init.xavier_normal_(layer.weight)", "start"),
    "no augmentation": ("x + 0.1 * torch.randn_like(x)", "x", "losses"),
    "batches": ("batch_size: 8", "batch_size: 10", "steps"),
    "test data": ('"test": (x[52:]', '"test": (x[52:] * 1.001', "data"),
    "ablation": ("# data: made up", "# ablation: --model.scale 0.5\n# data: made up", "ablation"),
}


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        *(pytest.param(*change, id=name) for name, change in CHANGES.items()),
        *(pytest.param(*change, id=name, marks=pytest.mark.slow) for name, change in MORE_CHANGES.items()),
    ],
)
def test_other_steps_make_a_row_stale_and_are_named(toy: Path, old: str, new: str, column: str) -> None:
    state, differs = refreshed(toy, old, new)
    assert state == "stale" and differs.startswith(f"{column}, word ")


@pytest.mark.slow
def test_a_recipe_that_breaks_is_stale_and_says_why(toy: Path) -> None:
    assert refreshed(toy, "x.sum(1", "x.summ(1") == ("stale", "AttributeError: 'Tensor' object has no attribute 'summ'")
    (toy / "toy.py").write_text(CODE)
    assert results.status(find_recipe("toy/one")) == "fresh"


def test_arguments_that_the_recipe_does_not_know_are_an_error(toy: Path) -> None:
    with pytest.raises(UserError, match="nonsense"):
        digest(find_recipe("toy/one"), ["--trainer.nonsense", "1"])


@pytest.mark.slow
def test_a_recipe_whose_files_are_not_here_stays_as_it_is(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download = "        fetch('https://example.org/x', 'abc', 'nowhere/x')\n        y = x.sum"
    edit(toy / "toy.py", "import torch\n", "import torch\nfrom datamodules.downloads import fetch\n")
    state, _ = refreshed(toy, "        y = x.sum", download)
    assert state == "unchecked"
    assert "toy/one: still unchecked: cannot download https://example.org/x" in capsys.readouterr().out


def test_pictures_checkpoints_and_records_take_no_part() -> None:
    from scripts.evidence.digest_run import decides, import_class

    common = set(fingerprint.class_paths(yaml.safe_load((CONFIGS / "default.yaml").read_text())["trainer"]))
    named = {p for r in recipes.all_recipes() for p in fingerprint.class_paths(yaml.safe_load(r.path.read_text()))}
    callbacks = {
        path: import_class(path) for path in named | common if "callbacks." in path and not path.endswith("CSV")
    }
    deciding = {cls.__name__ for path, cls in callbacks.items() if decides(cls, path in common)}
    assert deciding == {
        "RandomState",
        "ChannelsLast",
        "EMAWeightAveraging",
        "EarlyStopping",
        "SelectBy",
        "WarmupEMA",
        "WeightedF1",
    }


def test_a_digest_is_printed(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--digest", "toy/one", "--extra", "--trainer.max_epochs", "7"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert tuple(lines) == COLUMNS and lines["settings"].startswith("max_epochs=7 ")
    assert len(lines["losses"].split()) == 5 and lines["parameters"] == "all=4 trained=4"
    assert lines["rows"] == "train=40 val=12 test=12" and lines["steps"] == "all=35 an_epoch=5"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("0.5", "0.50005", True),
        ("0.5", "0.5002", False),
        ("test/acc=0.5", "test/acc=0.50005", True),
        ("test/acc=0.5", "val/acc=0.5", False),
        ("3500", "3501", False),  # a count, however near
        ("all=61706", "all=61707", False),
        ("-1e-05", "-1.00001e-05", True),
        ("nan", "nan", True),
        ("nan", "0.5", False),
        ("SGD", "Adam", False),
    ],
)
def test_numbers_are_compared_with_a_tolerance_and_counts_without(old: str, new: str, same: bool) -> None:
    assert same_word(old, new, 2e-4) is same


def test_each_step_may_differ_more_than_the_one_before() -> None:
    old = {"losses": "2.3 2.3 2.3 2.3 2.3"}
    assert difference(old, {"losses": "2.30002 2.3002 2.301 2.306 2.32"}) == ""
    assert difference(old, {"losses": "2.3001 2.3 2.3 2.3 2.3"}) == "losses, word 1: 2.3 was measured, now 2.3001"
    assert difference(old, {"losses": "2.3 2.3 2.3 2.3"}) == "losses, word 5: 2.3 was measured, now nothing"


def test_rates_are_compared_strictly() -> None:
    assert difference({"rates": "0.1 0.01"}, {"rates": "0.1 0.01000001"}) == ""
    assert difference({"rates": "0.1 0.01"}, {"rates": "0.1 0.010001"}) != ""


def test_two_rows_of_an_evaluation_may_be_judged_otherwise() -> None:
    assert difference({"test": "test/acc=0.0625 test/loss=2.306"}, {"test": "test/acc=0.125 test/loss=2.308"}) == ""
    assert difference({"test": "test/acc=0.0625"}, {"test": "test/acc=0.15625"}) != ""
    assert difference({"test": "test/rmse=0.06"}, {"test": "test/rmse=0.12"}) != ""


def test_an_ablation_is_compared_column_by_column() -> None:
    old = {"ablation": "losses: 2.3 2.2 | settings: max_epochs=1"}
    assert difference(old, {"ablation": "settings: max_epochs=1 | losses: 2.3 2.2001"}) == ""
    assert difference(old, {"ablation": "losses: 2.3 2.2"}) == (
        "ablation, settings, word 1: max_epochs=1 was measured, now nothing"
    )
    assert difference({"ablation": "none"}, old) != ""


def test_what_was_not_written_down_is_not_compared() -> None:
    assert difference({"losses": "2.3"}, {"losses": "2.3", "weights": "1"}) == ""
    assert difference({"losses": "2.3"}, {"weights": "1"}) != ""


def test_a_metric_that_is_logged_since_then_is_not_compared_and_one_that_went_is() -> None:
    assert text_difference("val", "val/loss=1.5", "val/bits_per_character=2.1 val/loss=1.5") == ""
    assert text_difference("val", "val/acc=0.5 val/loss=1.5", "val/loss=1.5")
    assert text_difference("val", "val/loss=1.5", "val/bits_per_character=2.1 val/loss=1.9")
