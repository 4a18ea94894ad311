"""A run knows its file again by its content; another one is tested whole, one that changed is refused."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from datamodules.run_file import KnowsItsFile, identity


class Base:
    """The processor of a datamodule."""

    def processor(self) -> dict[str, Any]:
        return {"size": 3}

    def load_processor(self, processor: dict[str, Any]) -> None:
        self.loaded = processor

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.facts.append("compared")

    facts: list[str]


class Lines(KnowsItsFile, Base):
    """A file, with or without an option for a test file."""

    def __init__(self, path: Path, run: dict[str, Any] | None = None, **options: str) -> None:
        self.path, self.facts = str(path), list[str]()
        self.__dict__.update(options)
        if run is not None:
            self.load_processor(run)


def trained(path: Path) -> dict[str, Any]:
    data = Lines(path)
    assert not data.is_another("fit")
    return data.processor()


def test_a_file_is_known_again_by_its_content_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a")
    (tmp_path / "same").write_text("a")
    (tmp_path / "other").write_text("b")
    run = trained(tmp_path / "one")
    assert run == {"size": 3, "file": identity(tmp_path / "one")}
    for name in ("one", "same", "gone"):
        data = Lines(tmp_path / name, run)
        assert not data.is_another("test") and not data.other_file and not data.facts
    for stage in ("test", "validate"):
        data = Lines(tmp_path / "other", run)
        assert data.is_another(stage) and data.other_file and data.facts == ["not the file of the run: all of it"]
        data.load_state_dict({})
        assert "compared" not in data.facts  # with the run's split: that it is another file has been said
    same = Lines(tmp_path / "same", run)
    same.load_state_dict({})
    assert same.facts == ["compared"] and not Lines(tmp_path / "other", run).is_another("fit")


@pytest.mark.parametrize(
    ("options", "remedy"), [({}, "--data.path with"), ({"test_path": ""}, "--data.test_path with")]
)
def test_a_file_that_changed_at_its_place_is_refused(tmp_path: Path, options: dict[str, str], remedy: str) -> None:
    path = tmp_path / "one"
    path.write_text("a")
    run = trained(path)
    path.write_text("b")
    data = Lines(path, run, **options)
    with pytest.raises(UserError, match=f"one: its content changed since training.*{remedy}") as error:
        data.is_another("test")
    assert "\n" not in str(error.value) and not data.is_another("fit")
    assert data.processor() == run  # a resumed run keeps what it had


def test_a_run_that_kept_no_file_is_tested_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    data = Lines(tmp_path / "a", {"size": 3})
    assert not data.is_another("test") and data.processor() == {"size": 3}
