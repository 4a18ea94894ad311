"""Masks of predictions: at the place of their boxes in the file's pixels, as a picture of numbers or run lengths."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.detection_files import DetectionFiles
from callbacks.instance_files import InstanceFiles, instance_map, placed
from common.messages import UserError


def predict(folder: Path, *callbacks: Any, masks: bool = True) -> None:
    """Two objects in the first of two pictures of 40 x 20 pixels; the second one lies over the first's right half."""
    x = torch.full((2, 3, 20, 40), 200, dtype=torch.uint8)
    data = SimpleNamespace(splits={"predict": (x,)}, predict_names=["a", "b"], class_names=["cat", "dog"])
    trainer: Any = SimpleNamespace(
        world_size=1, is_global_zero=True, fast_dev_run=False, default_root_dir=str(folder), datamodule=data
    )
    boxes = torch.tensor([[0.25, 0.1, 0.5, 0.9], [0.375, 0.1, 0.75, 0.9], [0.0, 0, 1, 1]])
    first: dict[str, Any] = {"boxes": boxes, "scores": torch.tensor([0.5, 0.9, 0.1]), "labels": torch.tensor([0, 1, 1])}
    first["masks"] = torch.ones(3, 4, 4)
    first["masks"][1, :2] = 0.0  # the lower half
    none = {name: part[:0] for name, part in first.items()}
    outputs = [first, none] if masks else [{k: v for k, v in row.items() if k != "masks"} for row in (first, none)]
    for callback in callbacks:
        callback.on_predict_batch_end(trainer, None, outputs, None, 0)
        callback.on_predict_epoch_end(trainer, None)


def test_pictures_of_numbers_are_as_large_as_their_files_the_first_box_on_top(tmp_path: Path) -> None:
    predict(tmp_path, DetectionFiles(), InstanceFiles())
    found = np.asarray(Image.open(tmp_path / "masks/a.png"))
    assert found.shape == (20, 40) and (found[2:18, 10:20] == 1).all() and (found[11:18, 20:30] == 2).all()
    assert (found == 1).sum() == 160 and (found == 2).sum() == pytest.approx(80, abs=10) and found.max() == 2
    assert not np.asarray(Image.open(tmp_path / "masks/b.png")).any()
    marked = np.asarray(Image.open(tmp_path / "marked/a.png"))
    assert (marked[8, 16] != 200).any() and (marked[5, 35] == 200).all()


def test_run_lengths_are_those_that_pycocotools_reads(tmp_path: Path) -> None:
    from pycocotools.mask import decode

    predict(tmp_path, InstanceFiles(kind="rle"), InstanceFiles(kind="rle"))
    files = sorted(tmp_path.glob("masks*.json"))
    assert len(files) == 2  # nothing is overwritten
    first, second = json.loads((tmp_path / "masks.json").read_text())
    assert (first["image"], first["category"], first["bbox"]) == ("a", "cat", [10.0, 2.0, 10.0, 16.0])
    mask = decode(first["segmentation"])
    assert mask.shape == (20, 40) and mask.sum() == 160 and mask[2:18, 10:20].all()
    assert decode(second["segmentation"])[:, 15:20].any()  # each object has its whole mask


def test_a_mask_is_cut_at_the_edge_and_many_have_sixteen_bits() -> None:
    corner, shown = placed(np.ones((4, 4)), np.array([-5.0, 10, 5, 30]), (40, 20))
    assert corner == (0, 10) and shown.shape == (10, 5) and shown.all()
    assert placed(np.ones((4, 4)), np.array([50.0, 30, 60, 40]), (40, 20))[1].size == 0
    many = instance_map(np.ones((300, 2, 2)), np.tile([3.0, 3, 6, 6], (300, 1)), (9, 9))
    assert np.asarray(many).max() == 1 and many.mode == "I;16"


def test_a_detector_without_masks_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="boxes without masks"):
        predict(tmp_path, InstanceFiles(), masks=False)
