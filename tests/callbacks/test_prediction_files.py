"""The file of predictions, and the folders of pictures beside it: nothing is overwritten, nothing leaves its folder."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from callbacks.detection_files import DetectionFiles
from callbacks.mask_files import MaskFiles
from callbacks.prediction_files import PicturePredictions, folder_beside, marked_path


def predict(callback: PicturePredictions, folder: Path) -> None:
    output = {"boxes": torch.tensor([[0.0, 0.0, 1.0, 1.0]]), "scores": torch.ones(1), "labels": torch.zeros(1)}
    outputs: list[Any] = [torch.zeros(4, 4, dtype=torch.uint8) if isinstance(callback, MaskFiles) else output]
    data = SimpleNamespace(splits={"predict": (torch.zeros(1, 3, 4, 4, dtype=torch.uint8),)}, predict_names=None)
    trainer: Any = SimpleNamespace(
        world_size=1, is_global_zero=True, fast_dev_run=False, default_root_dir=str(folder), datamodule=data
    )
    callback.on_predict_batch_end(trainer, None, outputs, None, 0)  # type: ignore[arg-type]
    callback.on_predict_epoch_end(trainer, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "folders"), [(DetectionFiles, ["marked"]), (MaskFiles, ["marked", "masks"])])
def test_a_second_prediction_overwrites_no_file_and_no_picture(kind: Any, folders: list[str], tmp_path: Path) -> None:
    predict(kind(), tmp_path)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    predict(kind(), tmp_path)
    tables = sorted(path.stem for path in tmp_path.glob("*.csv"))
    assert len(tables) == 2 and tables[0] == "predictions" and tables[1].startswith("predictions_")
    assert all(path.read_bytes() == content for path, content in first.items())
    wanted = sorted([*folders, *(f"{tables[1]}_{name}" for name in folders)])
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == wanted


@pytest.mark.parametrize("kind", [DetectionFiles, MaskFiles])
def test_the_file_of_out_is_written_and_nothing_into_the_run(kind: Any, tmp_path: Path) -> None:
    predict(kind(out=str(tmp_path / "deep/mine.csv")), tmp_path / "run")
    assert (tmp_path / "deep/mine.csv").is_file() and (tmp_path / "deep/mine_marked/0.png").is_file()
    assert not (tmp_path / "run").exists()


def test_folders_have_the_name_of_their_file() -> None:
    assert folder_beside(Path("a/predictions.csv"), "marked") == Path("a/marked")
    assert folder_beside(Path("a/boxes.csv"), "marked") == Path("a/boxes_marked")


@pytest.mark.parametrize("name", ["../../etc/x.jpg", "/etc/x.jpg", "a/../../x.jpg"])
def test_a_marked_picture_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    assert tmp_path.resolve() in marked_path(tmp_path, name).resolve().parents
