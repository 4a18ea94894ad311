"""idx files: read as written, refused when truncated or of another format."""

import gzip
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.vision.idx import load_idx_splits, read_idx
from tests.datamodules.vision.idx_files import write_idx, write_set


@pytest.mark.parametrize("shape", [(5,), (3, 28, 28), (2, 3, 4, 5)])
def test_what_was_written_is_read(shape: tuple[int, ...], tmp_path: Path) -> None:
    content = torch.randint(256, shape, dtype=torch.uint8)
    write_idx(tmp_path / "a.gz", content)
    assert torch.equal(read_idx(tmp_path / "a.gz"), content)


def test_a_cut_file_is_one_line(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.gz", torch.zeros(100, 28, 28))
    whole = (tmp_path / "a.gz").read_bytes()
    (tmp_path / "a.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is damaged"):
        read_idx(tmp_path / "a.gz")


@pytest.mark.parametrize(
    "content",
    [b"", b"no idx at all", gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x09abc")],
    ids=["empty", "foreign", "short"],
)
def test_a_foreign_or_short_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        read_idx(tmp_path / "a.gz")


def test_validation_is_taken_from_the_training_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    write_set(tmp_path / "set")
    names = {f"{p}-{k}-ubyte.gz": "" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")}
    train, val, test = load_idx_splits("set", ["https://example.org/"], names, 20)
    assert [len(part[0]) for part in (train, val, test)] == [40, 20, 20]
    assert torch.equal(val[1].bincount(), torch.full((10,), 2))
    with pytest.raises(UserError, match=r"data\.val_size is 60, but set has 60 training images"):
        load_idx_splits("set", ["https://example.org/"], names, 60)
