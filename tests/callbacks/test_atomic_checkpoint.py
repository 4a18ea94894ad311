"""A checkpoint is complete or absent; a full disk loses the new one, never the old one."""

import errno
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.atomic_checkpoint import AtomicCheckpoint, CannotSave, reason

SMALL, LARGE = {"a": torch.zeros(3)}, {"a": torch.arange(500_000)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A good checkpoint."""
    AtomicCheckpoint().save_checkpoint(SMALL, tmp_path / "very/deep/last.ckpt")
    return tmp_path / "very/deep/last.ckpt"


def check(saved: Path) -> None:
    assert torch.equal(torch.load(saved, weights_only=True)["a"], SMALL["a"])
    assert [p.name for p in saved.parent.iterdir()] == [saved.name], "a temporary file was left"


def test_a_second_save_takes_the_place_of_the_first(saved: Path) -> None:
    AtomicCheckpoint().save_checkpoint(LARGE, saved)
    assert len(torch.load(saved, weights_only=True)["a"]) == 500_000
    assert len(list(saved.parent.iterdir())) == 1


def test_a_file_that_may_not_grow_keeps_the_previous_save(saved: Path) -> None:
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CannotSave, match=r"last\.ckpt: .*; the previous last\.ckpt is kept"):
            AtomicCheckpoint().save_checkpoint(LARGE, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    check(saved)


def test_a_full_disk_keeps_the_previous_save(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotSave, match="No space left on device"):
        AtomicCheckpoint().save_checkpoint(LARGE, saved)
    check(saved)


def test_another_error_is_not_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="pickle") as error:
        AtomicCheckpoint().save_checkpoint({"a": lambda: None}, tmp_path / "last.ckpt")
    assert not isinstance(error.value, CannotSave)
    assert list(tmp_path.iterdir()) == []


def test_a_first_save_that_fails_says_that_nothing_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CannotSave, match="the file could not be written completely; nothing was saved"):
        AtomicCheckpoint().save_checkpoint(SMALL, tmp_path / "last.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_a_runtime_error_of_another_kind_keeps_its_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*args: Any) -> None:
        raise RuntimeError("storage has wrong size")

    monkeypatch.setattr(torch, "save", wrong)
    with pytest.raises(RuntimeError, match="wrong size"):
        AtomicCheckpoint().save_checkpoint(SMALL, tmp_path / "last.ckpt")


def test_an_address_is_left_to_lightning() -> None:
    io = AtomicCheckpoint()
    io.save_checkpoint(SMALL, "memory://folder/last.ckpt")
    assert torch.equal(io.load_checkpoint("memory://folder/last.ckpt")["a"], SMALL["a"])


def test_the_file_systems_reason_is_found_wherever_torch_wrapped_it() -> None:
    error = OSError(errno.EDQUOT, "any")
    said = os.strerror(errno.EDQUOT)
    for attribute in ("__context__", "__cause__"):
        wrapped = RuntimeError("unexpected pos 64 vs 0")
        setattr(wrapped, attribute, error)
        assert reason(wrapped) == said
    for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES):
        assert reason(RuntimeError(f"write failed: {os.strerror(number)}")) == os.strerror(number)
    assert reason(OSError("no number")) == "no number" and reason(RuntimeError("another")) is None
