"""Fashion-MNIST has MNIST's files in a folder of its own."""

from pathlib import Path

import pytest

from datamodules.vision.fashion_mnist import FashionMNIST
from tests.datamodules.vision.idx_files import write_set


def test_reads_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    write_set(tmp_path / "FashionMNIST/raw")
    data = FashionMNIST(val_size=10)
    data.setup("fit")
    assert len(data.splits["train"][0]) == 50
    assert data.class_names is not None and data.class_names[9] == "ankle boot"
    assert all(url.startswith("https://") for url in data.urls) and len(data.sha256) == 4
