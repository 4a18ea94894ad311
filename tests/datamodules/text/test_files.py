"""Text files and their errors, in one line."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.files import read_text, split_text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"caf\xe9 au lait", "byte 0xe9 at offset 3"),
        (b"\xef\xbb\xbfcaf\xe9", "byte 0xe9 at offset 6"),
        ("text".encode("utf-16") + b"\x00", "not UTF-16 text"),
    ],
)
def test_unusable_files_are_refused_with_the_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_text(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "no.txt", "no file"),
        (tmp_path, "cannot be read"),
        ("", "data.path is not given"),
    ):
        with pytest.raises(UserError, match=message):
            read_text(path)


def test_ends_of_lines_and_the_byte_order_mark_are_made_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for raw, text in (
        (b"\xef\xbb\xbfone\r\ntwo\n", "one\ntwo\n"),
        (b"one\rtwo\r", "one\ntwo\n"),  # of an old Macintosh
        (b"one\ntw\ro\n", "one\ntw o\n"),  # within a line
        ("one\r\ntwo".encode("utf-16"), "one\ntwo"),
        ("one\r\ntwo".encode("utf-32"), "one\ntwo"),
    ):
        path.write_bytes(raw)
        assert read_text(path) == text


def test_split_is_whole_in_order_and_cut_at_lines() -> None:
    text = "".join(f"line {i}\n" for i in range(100))
    parts = split_text(text, 0.2, 0.1)
    assert "".join(parts[name] for name in ("train", "val", "test")) == text
    assert all(part.endswith("\n") for part in parts.values())
    assert abs(len(parts["val"]) / len(text) - 0.2) < 0.02


@pytest.mark.parametrize("text", ["x" * 5000 + "\n", ("word " * 250 + "\n") * 8, "a\n" + "y" * 700 + "\n", "ab" * 30])
def test_cuts_stay_near_the_fractions_however_long_the_lines_are(text: str) -> None:
    parts = split_text(text, 0.1, 0.1)
    assert "".join(parts.values()) == text
    for name in ("val", "test"):
        assert abs(len(parts[name]) - len(text) / 10) <= len(text) / 100 + 1


def test_a_cut_is_never_between_a_letter_and_its_marks() -> None:
    parts = split_text("e\u0323\u0300" * 100, 0.1, 0.1)
    assert all(part.startswith("e") for part in parts.values())


def test_a_split_without_training_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to train on"):
        split_text("abc", 0.5, 0.5)
