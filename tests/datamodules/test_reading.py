"""The line of what was read, and progress while it is read."""

import pytest

from datamodules import reading
from datamodules.reading import progress, read_line, some


def test_the_line_has_rows_by_split_classes_and_facts() -> None:
    line = read_line("pets", {"train": 1400, "val": 6}, "images", {"cat": 1400, "dog": 6}, ["2 files left out"])
    assert line == "read pets: train 1,400, val 6 images; 2 classes (cat 1,400, dog 6); 2 files left out"


def test_many_names_are_counted_after_the_first() -> None:
    assert some("abcdefghij", 3) == "a, b, c and 7 others"
    assert some("abcd", 3) == "a, b, c and 1 other" and some("abc", 3) == "a, b, c"


def test_short_work_shows_nothing_and_long_work_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(progress("abc", "reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    clock = iter(range(0, 1000, 4))  # four seconds an item
    monkeypatch.setattr(reading.time, "monotonic", lambda: next(clock))
    assert list(progress(range(5), "reading photos")) == list(range(5))
    assert "note: reading photos: 1 of 5" in capsys.readouterr().err
