"""What took long is read once, and again when a file or a setting changes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules import cache
from datamodules.cache import digest_of_file, digest_of_files, kept


@pytest.fixture(autouse=True)
def always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(cache, "WORTH", 0.0)


def read(calls: list[int], digest: str = "a", how: str = "64 pixels") -> dict[str, Any]:
    def make() -> dict[str, Any]:
        calls.append(1)
        return {"x": torch.arange(3, dtype=torch.uint8), "names": ["a", "b"], "n": 2}

    return kept("reading photos", digest, how, make)


def test_the_second_start_reads_what_the_first_kept(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []
    first, second = read(calls), read(calls)
    assert len(calls) == 1 and second["names"] == ["a", "b"] and torch.equal(first["x"], second["x"])
    assert "kept in" in (said := capsys.readouterr().err) and "taken from" in said
    read(calls, digest="b"), read(calls, how="32 pixels")
    assert len(calls) == 3


def test_what_is_read_quickly_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WORTH", 5.0)
    calls: list[int] = []
    read(calls), read(calls)
    assert len(calls) == 2


def test_half_a_file_is_read_anew(tmp_path: Path) -> None:
    calls: list[int] = []
    read(calls)
    (path,) = (tmp_path / "data/read").glob("*.pt")
    path.write_bytes(path.read_bytes()[:50])
    read(calls)
    assert len(calls) == 2


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder would be")
    assert read([])["n"] == 2


def test_digests_follow_the_files(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    content, names = digest_of_file(str(path)), digest_of_files([str(path)])
    path.write_text("yy")
    assert digest_of_file(str(path)) != content and digest_of_files([str(path)]) != names


def test_a_full_disk_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    assert read([])["n"] == 2 and not list((tmp_path / "data/read").iterdir())
