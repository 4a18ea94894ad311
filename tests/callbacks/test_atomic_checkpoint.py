"""A checkpoint is whole or is not there; a full disk costs the new one, never the old one."""

import errno
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.atomic_checkpoint import AtomicCheckpoint, CannotSave

SMALL, LARGE = {"a": torch.zeros(3)}, {"a": torch.arange(500_000)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A good checkpoint."""
    AtomicCheckpoint().save_checkpoint(SMALL, tmp_path / "deep/last.ckpt")
    return tmp_path / "deep/last.ckpt"


def check(saved: Path) -> None:
    assert torch.equal(torch.load(saved, weights_only=True)["a"], SMALL["a"])
    assert [p.name for p in saved.parent.iterdir()] == [saved.name], "a temporary file was left"


def test_a_second_save_takes_the_place_of_the_first(saved: Path) -> None:
    AtomicCheckpoint().save_checkpoint(LARGE, saved)
    assert len(torch.load(saved, weights_only=True)["a"]) == 500_000
    assert len(list(saved.parent.iterdir())) == 1


def test_a_file_that_may_not_grow_keeps_the_save_before(saved: Path) -> None:
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CannotSave, match=r"last\.ckpt: .*; .*last\.ckpt of the save before is kept"):
            AtomicCheckpoint().save_checkpoint(LARGE, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    check(saved)


def test_a_full_disk_keeps_the_save_before(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
