"""A run knows its file again by its content; another one is tested whole, one that changed is refused."""

import json
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


def rows(data: Any, run: dict[str, Any] | None = None, stage: str = "test") -> dict[str, int]:
    """The rows of each split that a stage loads, where ``run`` is what the run that trained the model kept."""
    if run is not None:
        data.load_processor(json.loads(json.dumps(run)))
    data.setup(stage)
    return {name: len(split[0]) for name, split in data.splits.items() if name != "predict"}


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


class Two(Lines):
    """Two files that belong together."""

    def own_files(self) -> dict[str, str]:
        return {"path": self.path, "target": f"{self.path}.target"}


def test_two_files_are_known_again_by_both(tmp_path: Path) -> None:
    for name in ("one", "same", "one.target", "same.target", "other", "other.target", "half", "half.target"):
        (tmp_path / name).write_text(f"{name.removeprefix('same') if 'other' in name else ''}{'target' in name}")
    data = Two(tmp_path / "one")
    assert not data.is_another("fit")
    run = data.processor()
    assert run["file"] == identity(tmp_path / "one", target=str(tmp_path / "one.target"))
    assert not Two(tmp_path / "same", run).is_another("test") and Two(tmp_path / "other", run).is_another("test")
    for name in ("one.target", "half.target"):  # that of the run; one beside the same content of the first
        (tmp_path / name).write_text("changed")
        with pytest.raises(UserError, match=r"and .*target: the content of one of them changed since training"):
            Two(tmp_path / name.removesuffix(".target"), run).is_another("test")
    source_only = {"file": identity(tmp_path / "one")}  # of a run before targets were kept
    assert not Two(tmp_path / "one", source_only).is_another("test")


def test_a_file_of_which_the_split_is_drawn_from_histories_is_refused_if_it_changed(tmp_path: Path) -> None:
    class Histories(Lines):
        tested_whole = False

    (tmp_path / "one").write_text("a")
    run = trained(tmp_path / "one")
    (tmp_path / "two").write_text("b")
    other = Histories(tmp_path / "two", run)
    assert not other.is_another("test") and not other.other_file and not other.facts
    (tmp_path / "one").write_text("b")
    with pytest.raises(UserError, match=r"trained on: train again$"):
        Histories(tmp_path / "one", run).is_another("test")
