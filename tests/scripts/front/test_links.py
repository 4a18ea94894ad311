"""Sizes go from the data to the model by the names that datamodules declare."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from lightning.pytorch import LightningDataModule

from scripts.front.arguments import load_yaml
from scripts.front.build import parse
from scripts.front.classes import arguments_of
from scripts.front.links import declared_links
from scripts.front.recipes import CONFIGS, all_recipes

ROOT = CONFIGS.parent
#: What both have without it being a size: the true rule of generated data, and what a model learns or starts from; a
#: change of training images that either side can make.
SEPARATE = {"bias", "weights", "noise", "flip"}


def datamodules() -> list[type[LightningDataModule]]:
    files = [path for path in (ROOT / "datamodules").rglob("*.py") if path.name != "__init__.py"]
    modules = [import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in files]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, LightningDataModule) and value.__module__ == module.__name__
    ]


def test_what_is_declared_is_found_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('class A:\n    links = ("depth",)\nclass B(A):\n    links: tuple = ("width", "x")\n')
    assert declared_links(tmp_path) == {"depth", "width", "x"}
    assert declared_links() == {name for klass in datamodules() for name in getattr(klass, "links", ())}


@pytest.mark.parametrize("klass", [k for k in datamodules() if "links" in vars(k)], ids=lambda klass: klass.__name__)
def test_a_link_is_an_argument_of_its_datamodule(klass: type) -> None:
    assert set(klass.links) <= set(arguments_of(f"{klass.__module__}.{klass.__name__}"))  # type: ignore[attr-defined]


def test_what_a_recipes_model_and_data_both_take_is_linked() -> None:
    for recipe in all_recipes():
        config = load_yaml(recipe.path)
        model, data = (arguments_of(config[part]["class_path"]) for part in ("model", "data"))
        assert set(model) & set(data) - SEPARATE <= declared_links(), recipe.name


def test_a_persons_own_link_reaches_their_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_parts.py").write_text(
        "from datamodules.base import TensorDataModule\nfrom lit_models.tasks.classifier import Classifier\n"
        "class Data(TensorDataModule):\n    links = ('depth',)\n"
        "    def __init__(self, depth: int = 3, **loader: int) -> None:\n        super().__init__(**loader)\n"
        "class Model(Classifier):\n    def __init__(self, depth: int = 1) -> None:\n        super().__init__(10)\n"
    )
    (tmp_path / "own.yaml").write_text("model: {class_path: own_parts.Model}\ndata: {class_path: own_parts.Data}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert parse(["own.yaml", "--data.depth", "5"]).config.model.init_args.depth == 5
