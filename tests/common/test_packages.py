"""Models inside of packages."""

from pathlib import Path

import pytest

from common.packages import model_folder


def test_a_package_with_a_model_is_found_by_its_name_on_pypi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some_small_bert" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert model_folder("some-small-bert") is None  # no config.json
    (folder / "config.json").write_text("{}")
    assert model_folder("some-small-bert") == folder


@pytest.mark.parametrize("name", ["no-such-package", "json", "a/b.safetensors", "", "ResNet18_Weights.V1"])
def test_anything_else_is_none(name: str) -> None:
    assert model_folder(name) is None
