"""Downloads: checked after the transfer, put in place completely or not at all, unpacked inside their folder."""

import errno
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pooch
import pytest

from common.messages import UserError
from datamodules.downloads import fetch, unpack

CONTENT = b"seven bytes" * 100
SHA = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/data/file.bin"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """A fake network: address to content; all other addresses fail."""
    pages: dict[str, bytes] = {}

    def download(url: str, output_file: str, *args: Any, **kwargs: Any) -> None:
        if url not in pages:
            raise ConnectionError(url)
        Path(output_file).write_bytes(pages[url])

    monkeypatch.setattr(pooch.core, "choose_downloader", lambda *args, **kwargs: download)
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "data"))
    return pages


def test_a_file_is_fetched_once_and_checked(served: dict[str, bytes], tmp_path: Path) -> None:
    served[URL] = CONTENT
    path = fetch(URL, SHA, "set/raw/file.bin")
    assert path == tmp_path / "data/set/raw/file.bin" and path.read_bytes() == CONTENT
    served.clear()
    assert fetch(URL, SHA, "set/raw/file.bin") == path


@pytest.mark.parametrize("content", [CONTENT[:-1], b"", b"something else"])
def test_a_wrong_or_cut_file_is_never_put_in_place(content: bytes, served: dict[str, bytes], tmp_path: Path) -> None:
    served[URL] = content
    with pytest.raises(UserError, match=f"cannot download {URL}: its checksum is wrong"):
        fetch(URL, SHA, "set/file.bin")
    assert not any(p.is_file() for p in (tmp_path / "data").rglob("*"))


def test_a_mirror_serves_when_the_first_address_does_not(served: dict[str, bytes]) -> None:
    served["https://mirror.example.org/file.bin"] = CONTENT
    assert fetch([URL, "https://mirror.example.org/file.bin"], SHA, "file.bin").read_bytes() == CONTENT


def test_without_network_the_line_names_address_and_file(served: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        fetch(URL, SHA, "set/file.bin")
    assert URL in str(error.value) and str(tmp_path / "data/set/file.bin") in str(error.value)


def test_plain_http_is_refused() -> None:
    with pytest.raises(ValueError, match="only https"):
        fetch("http://example.org/file", SHA, "nowhere/file")


def make_zip(path: Path, member: str) -> None:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(member, "text")


def make_tar(path: Path, member: str) -> None:
    with tarfile.open(path, "w:gz") as package:
        entry = tarfile.TarInfo(member)
        entry.size = 4
        package.addfile(entry, io.BytesIO(b"text"))


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_an_archive_is_unpacked_into_its_folder(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "archive", "inside/a.txt")
    assert (unpack(tmp_path / "archive", tmp_path / "out") / "inside/a.txt").read_text() == "text"


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_an_archive_that_climbs_out_is_refused(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "archive", "../escaped.txt")
    with pytest.raises(UserError, match="not unpacked"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert not (tmp_path / "escaped.txt").exists()


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_damaged_archive_is_one_line(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "archive", "a.txt")
    whole = (tmp_path / "archive").read_bytes()
    (tmp_path / "archive").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is damaged"):
        unpack(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_an_unpacking_that_is_cut_short_leaves_no_half_a_file(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: Any, folder: Path, **settings: Any) -> None:
        (Path(folder) / "a.txt").write_text("te")
        raise OSError(errno.ENOSPC, "No space left on device")

    make(tmp_path / "archive", "a.txt")
    monkeypatch.setattr(zipfile.ZipFile, "extractall", cut)
    monkeypatch.setattr(tarfile.TarFile, "extractall", cut)
    with pytest.raises(UserError, match=r"cannot unpack .*: No space left on device"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_full_disk_is_not_called_a_missing_network(
    served: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pooch, "retrieve", full)
    with pytest.raises(UserError, match=r"cannot write .*set/file.bin: No space left on device"):
        fetch(URL, SHA, "set/file.bin")


def test_a_download_that_is_killed_is_fetched_again(served: dict[str, bytes], tmp_path: Path) -> None:
    half = tmp_path / "data/set/tmpab12"  # the name under which pooch writes until the checksum is right
    half.parent.mkdir(parents=True)
    half.write_bytes(CONTENT[:10])
    served[URL] = CONTENT
    assert fetch(URL, SHA, "set/file.bin").read_bytes() == CONTENT
